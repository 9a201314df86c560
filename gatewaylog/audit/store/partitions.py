"""PostgreSQL's functions of the store: what refuses changes, makes partitions and drops them.

All names in them are qualified, and their search path is fixed: who calls one that runs with its
owner's rights can slip it no object of their own.
"""

from __future__ import annotations

from typing import Literal

Unit = Literal["day", "month"]

PARTITIONED = ("client_access_token_logs", "token_events")
APPEND_ONLY = (*PARTITIONED, "event_log")
_PARENTS = ", ".join(f"'gatewaylog.{table}'::regclass" for table in PARTITIONED)

_REFUSE = """
CREATE OR REPLACE FUNCTION gatewaylog.refuse_change() RETURNS trigger
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp SET timezone = 'UTC' SET datestyle = 'ISO, YMD' AS $$
BEGIN
    RAISE EXCEPTION '% is append-only: % is refused', TG_TABLE_NAME, TG_OP
        USING ERRCODE = 'insufficient_privilege';
END $$"""

# Who delivers may only insert: what an older checkpoint said goes with the owner's rights.
_CHECKPOINT = """
CREATE OR REPLACE FUNCTION gatewaylog.replace_checkpoint() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp SET timezone = 'UTC' SET datestyle = 'ISO, YMD' AS $$
BEGIN
    DELETE FROM gatewaylog.ship_checkpoints WHERE shipper = NEW.shipper AND file = NEW.file;
    RETURN NEW;
END $$"""

# Others may make tables in the schema, partitioned ones too: by oid, schema and owner it is told
# which are ours. Bounds stand in the catalogue as text alone; tables that are not analysed yet have
# no estimate.
_VIEW = rf"""
CREATE OR REPLACE VIEW gatewaylog.store_partitions AS
SELECT parent.relname::text AS of_table,
    part.relname::text AS name,
    (regexp_match(bound, 'FROM \(''([^'']+)''\)'))[1]::timestamptz AS lower,
    (regexp_match(bound, 'TO \(''([^'']+)''\)'))[1]::timestamptz AS upper,
    pg_total_relation_size(part.oid) AS bytes,
    nullif(part.reltuples, -1)::bigint AS estimated_rows,
    part.oid AS relid
FROM pg_inherits
JOIN pg_class AS parent ON parent.oid = inhparent
JOIN pg_class AS part ON part.oid = inhrelid
CROSS JOIN LATERAL pg_get_expr(part.relpartbound, part.oid) AS bound
WHERE parent.oid IN ({_PARENTS})
    AND part.relnamespace = parent.relnamespace AND part.relowner = parent.relowner"""  # noqa: S608

# After `tokens init --partition` has changed the unit, a partition fills what others leave free.
# The lock is one that the owner alone can take; rows are written beside it. Where something of
# somebody's has the partition's name, or an open transaction makes it, one is taken that nobody can
# guess.
_ADD = """
CREATE OR REPLACE FUNCTION gatewaylog.add_partition(parent text, moment timestamptz)
RETURNS void LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp SET timezone = 'UTC' SET datestyle = 'ISO, YMD' AS $$
DECLARE
    unit text := gatewaylog.partition_unit();
    since timestamptz := date_trunc(unit, moment);
    until timestamptz := since + ('1 ' || unit)::interval;
    fresh text;
BEGIN
    FOR look IN 1..2 LOOP
        IF EXISTS (SELECT FROM gatewaylog.store_partitions AS known WHERE known.of_table = parent
                AND known.lower <= moment AND moment < known.upper) THEN
            RETURN;
        END IF;
        EXECUTE format('LOCK TABLE gatewaylog.%I IN SHARE UPDATE EXCLUSIVE MODE', parent);
    END LOOP;
    SELECT greatest(since, max(known.upper)) INTO since FROM gatewaylog.store_partitions AS known
        WHERE known.of_table = parent AND known.upper <= moment;
    SELECT least(until, min(known.lower)) INTO until FROM gatewaylog.store_partitions AS known
        WHERE known.of_table = parent AND known.lower > moment;
    fresh := parent || '_p' || to_char(since, 'YYYYMMDD');
    FOR attempt IN 1..2 LOOP
        BEGIN
            PERFORM set_config('lock_timeout', CASE attempt WHEN 1 THEN '1s' ELSE '10s' END, true);
            EXECUTE format('CREATE TABLE gatewaylog.%I (LIKE gatewaylog.%I'
                ' INCLUDING DEFAULTS INCLUDING CONSTRAINTS)', fresh, parent);
            EXECUTE format('CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE'
                ' ON gatewaylog.%I EXECUTE FUNCTION gatewaylog.refuse_change()', fresh);
            EXECUTE format('ALTER TABLE gatewaylog.%I ENABLE ALWAYS TRIGGER append_only', fresh);
            EXECUTE format('ALTER TABLE gatewaylog.%I ATTACH PARTITION gatewaylog.%I'
                ' FOR VALUES FROM (%L) TO (%L)', parent, fresh, since, until);
            EXIT;
        EXCEPTION WHEN duplicate_table OR duplicate_object OR unique_violation
                OR lock_not_available THEN
            IF attempt = 2 THEN
                RAISE;
            END IF;
            fresh := fresh || '_' || left(md5(gen_random_uuid()::text), 12);
        END;
    END LOOP;
    PERFORM set_config('lock_timeout', '10s', true);
END $$"""

_ENSURE = f"""
CREATE OR REPLACE FUNCTION gatewaylog.ensure_partition(moment timestamptz)
RETURNS void LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp SET timezone = 'UTC' SET datestyle = 'ISO, YMD'
SET lock_timeout = '10s' AS $$
DECLARE
    unit text := gatewaylog.partition_unit();
    ahead integer := CASE unit WHEN 'day' THEN 7 ELSE 1 END;
    parent text;
BEGIN
    IF moment IS NULL OR moment < '1970-01-01' OR moment >= '2200-01-01' THEN
        RAISE EXCEPTION 'no partition for %: of the years 1970 to 2199 alone', moment
            USING ERRCODE = 'datetime_field_overflow';
    END IF;
    FOREACH parent IN ARRAY ARRAY{list(PARTITIONED)} LOOP
        PERFORM gatewaylog.add_partition(parent, moment);
        FOR units IN 0..ahead LOOP
            PERFORM gatewaylog.add_partition(
                parent, date_trunc(unit, now()) + units * ('1 ' || unit)::interval);
        END LOOP;
    END LOOP;
END $$"""

_DROP = """
CREATE OR REPLACE FUNCTION gatewaylog.drop_before(cutoff timestamptz, dry_run boolean)
RETURNS TABLE (of_table text, name text, lower timestamptz, upper timestamptz, bytes bigint,
    estimated_rows bigint)
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp SET timezone = 'UTC' SET datestyle = 'ISO, YMD'
SET lock_timeout = '2s' AS $$
DECLARE
    relid oid;
BEGIN
    IF cutoff IS NULL OR cutoff > now() - interval '1 day' THEN
        RAISE EXCEPTION 'what is younger than a day is not dropped'
            USING ERRCODE = 'invalid_parameter_value';
    END IF;
    FOR of_table, name, lower, upper, bytes, estimated_rows, relid IN
        SELECT known.of_table, known.name, known.lower, known.upper, known.bytes,
            known.estimated_rows, known.relid
        FROM gatewaylog.store_partitions AS known WHERE known.upper <= cutoff
        ORDER BY known.of_table, known.lower
    LOOP
        IF NOT coalesce(dry_run, true) THEN
            BEGIN
                EXECUTE format('DROP TABLE %s', relid::regclass);
            EXCEPTION WHEN lock_not_available THEN
                EXECUTE format('DROP TABLE %s', relid::regclass);
            END;
        END IF;
        RETURN NEXT;
    END LOOP;
    IF NOT coalesce(dry_run, true) THEN
        DELETE FROM gatewaylog.ship_checkpoints WHERE at < cutoff;
    END IF;
END $$"""

FUNCTIONS = (_REFUSE, _CHECKPOINT, _VIEW, _ADD, _ENSURE, _DROP)
CALLED = (
    "add_partition(text, timestamptz)",
    "drop_before(timestamptz, boolean)",
    "ensure_partition(timestamptz)",
    "partition_unit()",
    "refuse_change()",
    "replace_checkpoint()",
)


def unit_function(unit: Unit) -> str:
    """Return the statement that has later partitions hold a day or a month each."""
    if unit not in {"day", "month"}:
        raise ValueError("partition: must be day or month")
    return f"""
CREATE OR REPLACE FUNCTION gatewaylog.partition_unit() RETURNS text
LANGUAGE sql IMMUTABLE
SET search_path = pg_catalog, pg_temp SET timezone = 'UTC' SET datestyle = 'ISO, YMD'
AS $$ SELECT '{unit}' $$"""


def triggers() -> list[str]:
    """Return the statements that guard the tables; `session_replication_role` gets round none."""
    made = []
    for table in APPEND_ONLY:
        made += [
            f"CREATE OR REPLACE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE"
            f" ON gatewaylog.{table} EXECUTE FUNCTION gatewaylog.refuse_change()",
            f"ALTER TABLE gatewaylog.{table} ENABLE ALWAYS TRIGGER append_only",
        ]
    return [
        *made,
        "CREATE OR REPLACE TRIGGER replace_checkpoint BEFORE INSERT ON gatewaylog.ship_checkpoints"
        " FOR EACH ROW EXECUTE FUNCTION gatewaylog.replace_checkpoint()",
    ]
