-- A small stand-in for the Ed-Fi EdFi_Admin database on PostgreSQL.
-- Written for this project. Names, types, nullability and keys follow the end state that
-- Ed-Fi-ODS Artifacts/PgSql/Structure/Admin/0010 .. 0177 leaves behind (commit 24fe66cf, 2026-06-25),
-- so every identifier is unquoted there and therefore lower case in the catalogue.
-- Left out on purpose: users, profiles, odsinstances*, ownershiptokens, asp.net identity tables.

create schema if not exists dbo;

create table dbo.vendors (
    vendorid    serial not null constraint vendors_pk primary key,
    vendorname  varchar                                   -- nullable upstream
);

create table dbo.vendornamespaceprefixes (
    vendornamespaceprefixid serial not null constraint vendornamespaceprefixes_pk primary key,
    namespaceprefix         varchar(255) not null,
    vendor_vendorid         integer not null
        constraint fk_vendornamespaceprefixes_vendors references dbo.vendors (vendorid) on delete cascade
);

create table dbo.applications (
    applicationid         serial not null constraint applications_pk primary key,
    applicationname       varchar,                        -- nullable upstream
    vendor_vendorid       integer                         -- nullable upstream
        constraint fk_applications_vendors references dbo.vendors (vendorid),
    claimsetname          varchar(255),
    operationalcontexturi varchar(255) not null default ''
);

create table dbo.applicationeducationorganizations (
    applicationeducationorganizationid serial not null
        constraint applicationeducationorganizations_pk primary key,
    educationorganizationid   bigint not null,            -- integer before script 0150
    application_applicationid integer not null
        constraint fk_applicationeducationorganizations_applications references dbo.applications (applicationid)
);

create table dbo.apiclients (
    apiclientid               serial not null constraint apiclients_pk primary key,
    key                       varchar(50)  not null,      -- client_id; NOT unique on PostgreSQL upstream
    secret                    varchar(100) not null,
    name                      varchar(50)  not null,
    isapproved                boolean not null,
    usesandbox                boolean not null,
    sandboxtype               integer not null,
    application_applicationid integer                     -- nullable upstream
        constraint fk_apiclients_applications references dbo.applications (applicationid),
    user_userid               integer,
    keystatus                 varchar,
    challengeid               varchar,
    challengeexpiry           timestamp without time zone,
    activationcode            varchar,
    activationretried         integer,
    secretishashed            boolean not null default false,
    studentidentificationsystemdescriptor    varchar(306),
    creatorownershiptokenid_ownershiptokenid smallint
);

create table dbo.apiclientapplicationeducationorganizations (
    apiclient_apiclientid integer not null
        constraint fk_apiclientapplicationeducationorganizations_apiclients
            references dbo.apiclients (apiclientid) on delete cascade,
    applicationedorg_applicationedorgid integer not null
        constraint fk_apiclientapplicationedorg_applicationedorg
            references dbo.applicationeducationorganizations (applicationeducationorganizationid) on delete cascade,
    constraint apiclientapplicationeducationorganizations_pk
        primary key (apiclient_apiclientid, applicationedorg_applicationedorgid)
);

create table dbo.clientaccesstokens (
    id                    uuid not null constraint clientaccesstokens_pk primary key,   -- this IS the bearer token
    expiration            timestamp without time zone not null,                          -- written as UTC
    scope                 varchar,
    apiclient_apiclientid integer
        constraint fk_clientaccesstokens_apiclients references dbo.apiclients (apiclientid)
);
create index ix_clientaccesstokens_expiration on dbo.clientaccesstokens (expiration desc);
-- Upstream quirks kept out of the keys above but true of the real database:
--   * index names are schema-wide on PostgreSQL, so upstream's second "ix_apiclient_apiclientid"
--     (the one for clientaccesstokens) is skipped: the foreign key has no index;
--   * ak_apiclients is unique on (apiclientid), not on (key) as on SQL Server.
create unique index ak_apiclients on dbo.apiclients (apiclientid);

-- Token creation, same contract as upstream 0176: same name, argument names, order and messages.
create or replace procedure dbo.createclientaccesstoken(
    id uuid, expiration timestamp without time zone, scope text, apiclientid integer, maxtokencount integer)
language plpgsql as $body$
declare
    live integer := 0;
begin
    if not exists (select 1 from dbo.apiclients c
                   where c.apiclientid = createclientaccesstoken.apiclientid and c.isapproved) then
        raise exception using message = 'Client is not approved';
    end if;
    if maxtokencount >= 1 then
        select count(*) into live from dbo.clientaccesstokens t
         where t.apiclient_apiclientid = createclientaccesstoken.apiclientid
           and t.expiration > (now() at time zone 'utc');
        if live >= maxtokencount then
            raise exception using message = 'Token limit reached';
        end if;
    end if;
    insert into dbo.clientaccesstokens (id, expiration, scope, apiclient_apiclientid)
    values (createclientaccesstoken.id, createclientaccesstoken.expiration,
            createclientaccesstoken.scope, createclientaccesstoken.apiclientid);
end
$body$;

-- Sample rows -----------------------------------------------------------------------------------
insert into dbo.vendors (vendorid, vendorname) values
    (1, 'Northridge SIS'), (2, 'Grand Bend Assessments'), (3, NULL);          -- 3: nullable name
insert into dbo.vendornamespaceprefixes (namespaceprefix, vendor_vendorid) values
    ('uri://ed-fi.org', 1), ('uri://northridge.example', 1), ('uri://grandbend.example', 2);
insert into dbo.applications (applicationid, applicationname, vendor_vendorid, claimsetname, operationalcontexturi) values
    (1, 'Northridge Nightly Sync', 1,    'SIS Vendor',        'uri://ed-fi-api-host.org'),
    (2, 'Northridge Roster',       1,    'Roster Vendor',     'uri://ed-fi-api-host.org'),
    (3, 'Grand Bend Scores',       2,    'Assessment Vendor', 'uri://ed-fi-api-host.org'),
    (4, 'Application w/o vendor',  NULL, 'SIS Vendor',        ''),             -- nullable vendor
    (5, 'Nameless vendor''s app',  3,    'SIS Vendor',        '');
insert into dbo.applicationeducationorganizations
    (applicationeducationorganizationid, educationorganizationid, application_applicationid) values
    (1, 255901, 1), (2, 255901001, 1), (3, 255901, 3), (4, 5000000001, 2);     -- 4: needs bigint
insert into dbo.apiclients
    (apiclientid, key, secret, name, isapproved, usesandbox, sandboxtype, application_applicationid, secretishashed) values
    (1, 'RvcohKz9zHI4', 'fixture-not-a-secret', 'nightly',        true,  false, 0, 1,    true),
    (2, 'q7Yd02LmPPx1', 'fixture-not-a-secret', 'roster',         true,  false, 0, 2,    true),
    (3, 'Z0aaScores99', 'fixture-not-a-secret', 'scores',         true,  false, 0, 3,    true),
    (4, 'NoVendorKey0', 'fixture-not-a-secret', 'no vendor',      true,  false, 0, 4,    true),
    (5, 'NullNameKey0', 'fixture-not-a-secret', 'null vendor nm', true,  false, 0, 5,    true),
    (6, 'NoAppKey0000', 'fixture-not-a-secret', 'no application', true,  false, 0, NULL, true),
    (7, 'BlockedKey00', 'fixture-not-a-secret', 'not approved',   false, false, 0, 1,    true);
insert into dbo.apiclientapplicationeducationorganizations values (1, 1), (1, 2), (2, 4), (3, 3);
select setval(pg_get_serial_sequence('dbo.vendors', 'vendorid'), 100),
       setval(pg_get_serial_sequence('dbo.applications', 'applicationid'), 100),
       setval(pg_get_serial_sequence('dbo.apiclients', 'apiclientid'), 100),
       setval(pg_get_serial_sequence('dbo.applicationeducationorganizations', 'applicationeducationorganizationid'), 100);
insert into dbo.clientaccesstokens (id, expiration, scope, apiclient_apiclientid) values
    ('940934d3-a405-492c-9957-2db9329fc081', (now() at time zone 'utc') + interval '30 minutes', NULL, 1),
    ('11111111-2222-4333-8444-555555555555', (now() at time zone 'utc') - interval '2 minutes',  NULL, 1),
    ('66666666-7777-4888-9999-aaaaaaaaaaaa', (now() at time zone 'utc') + interval '12 minutes', '255901', 3);
