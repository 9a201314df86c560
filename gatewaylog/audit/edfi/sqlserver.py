"""The same trigger for SQL Server 2016 SP1 or later, as scripts for sqlcmd: it can't be run here.

What Transact-SQL can't do shapes it. An error in a trigger dooms the transaction, even one that is
caught, unless XACT_ABORT is OFF, which in triggers is ON. A name that is missing is caught only
from a procedure that was called, not where it stands. So the trigger makes the reference and calls
a procedure, which alone knows the other tables.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from gatewaylog.audit.edfi.postgresql import TokenFormat

_HEAD = """\
-- gatewaylog: logs which tokens are issued, never the tokens. For the EdFi_Admin database on
-- SQL Server 2016 SP1 or later; it can be run again: sqlcmd -b -I -d EdFi_Admin -i FILE
SET ANSI_NULLS ON;
SET QUOTED_IDENTIFIER ON;
SET XACT_ABORT ON;
SET LOCK_TIMEOUT 500; -- milliseconds: who logs in waits behind it
GO
"""
_CHECKS = """\
IF OBJECT_ID('dbo.ClientAccessTokens', 'U') IS NULL
BEGIN
  RAISERROR('There is no dbo.ClientAccessTokens here: is this EdFi_Admin?', 16, 1);
  SET NOEXEC ON;
END;
IF OBJECT_ID('dbo.ClientAccessTokenLogs', 'U') IS NOT NULL
BEGIN
  RAISERROR('dbo.ClientAccessTokenLogs is a table, the guide''s own: rename it first.', 16, 1);
  SET NOEXEC ON;
END;
-- The text is NULL where it is encrypted, or hidden from this login.
IF OBJECT_ID('dbo.dbo_ClientAccessToken_TR_Insert', 'TR') IS NOT NULL
  AND ISNULL(OBJECT_DEFINITION(OBJECT_ID('dbo.dbo_ClientAccessToken_TR_Insert', 'TR')), '')
    NOT LIKE '%gatewaylog%'
BEGIN
  RAISERROR('dbo.dbo_ClientAccessToken_TR_Insert is the guide''s own, or can''t be read: drop it.',
    16, 1);
  SET NOEXEC ON;
END;
GO
"""
_TABLE = """\
IF SCHEMA_ID('gatewaylog') IS NULL EXEC('CREATE SCHEMA gatewaylog AUTHORIZATION dbo');
GO
IF OBJECT_ID('gatewaylog.ClientAccessTokenLogs', 'U') IS NULL
BEGIN
  CREATE TABLE gatewaylog.ClientAccessTokenLogs (
    LogId BIGINT IDENTITY(1,1) NOT NULL CONSTRAINT PK_ClientAccessTokenLogs PRIMARY KEY,
    TokenRef CHAR(32) NULL,
    AccessTime DATETIME2 NOT NULL
      CONSTRAINT DF_ClientAccessTokenLogs_AccessTime DEFAULT SYSUTCDATETIME(),
    ApiClientId INT NULL,
    ApiClientKey NVARCHAR(MAX) NULL,
    ApplicationId INT NULL,
    ApplicationName NVARCHAR(MAX) NULL,
    VendorId INT NULL,
    VendorName NVARCHAR(MAX) NULL
  );
END;
GO
IF NOT EXISTS (
  SELECT 1 FROM sys.indexes
  WHERE object_id = OBJECT_ID('gatewaylog.ClientAccessTokenLogs')
    AND name = 'IX_ClientAccessTokenLogs_AccessTime'
)
BEGIN
  CREATE INDEX IX_ClientAccessTokenLogs_AccessTime
    ON gatewaylog.ClientAccessTokenLogs (AccessTime);
END;
GO
IF OBJECT_ID('gatewaylog.TokensNotLogged', 'SO') IS NULL
BEGIN
  CREATE SEQUENCE gatewaylog.TokensNotLogged AS BIGINT START WITH 0 MINVALUE 0 NO CACHE;
  -- Its current value is 0 before 0 is taken and after it: from then on it is the count.
  EXEC('DECLARE @None BIGINT = NEXT VALUE FOR gatewaylog.TokensNotLogged');
END;
GO
"""
_VIEW = """\
CREATE OR ALTER VIEW dbo.ClientAccessTokenLogs AS
SELECT
  LogId,
  CONVERT(UNIQUEIDENTIFIER,
    STUFF(STUFF(STUFF(STUFF(TokenRef, 21, 0, '-'), 17, 0, '-'), 13, 0, '-'), 9, 0, '-')) AS TokenId,
  AccessTime,
  ApiClientId,
  CONVERT(VARCHAR(50), ApiClientKey) AS ApiClientKey,
  ApplicationId,
  ApplicationName,
  VendorId,
  VendorName
FROM gatewaylog.ClientAccessTokenLogs;
GO
"""
_PROCEDURES = """\
CREATE OR ALTER PROCEDURE gatewaylog.LogIssuedToken @TokenRef CHAR(32), @ApiClientId INT AS
BEGIN
  SET NOCOUNT ON;
  INSERT INTO gatewaylog.ClientAccessTokenLogs (
    TokenRef, ApiClientId, ApiClientKey, ApplicationId, ApplicationName, VendorId, VendorName
  )
  SELECT
    @TokenRef, @ApiClientId, ac.[Key],
    app.ApplicationId, app.ApplicationName, v.VendorId, v.VendorName
  FROM (SELECT 1 AS One) AS issued
  LEFT JOIN dbo.ApiClients ac ON ac.ApiClientId = @ApiClientId
  LEFT JOIN dbo.Applications app ON app.ApplicationId = ac.Application_ApplicationId
  LEFT JOIN dbo.Vendors v ON v.VendorId = app.Vendor_VendorId;
END;
GO
CREATE OR ALTER PROCEDURE gatewaylog.LogIssuedTokenAlone @TokenRef CHAR(32), @ApiClientId INT AS
BEGIN
  SET NOCOUNT ON;
  INSERT INTO gatewaylog.ClientAccessTokenLogs (TokenRef, ApiClientId)
  VALUES (@TokenRef, @ApiClientId);
END;
GO
CREATE OR ALTER PROCEDURE gatewaylog.CountTokenNotLogged AS
BEGIN
  DECLARE @Count BIGINT = NEXT VALUE FOR gatewaylog.TokensNotLogged;
END;
GO
"""
_TRIGGER = """\
CREATE OR ALTER TRIGGER dbo.dbo_ClientAccessToken_TR_Insert
ON dbo.ClientAccessTokens
AFTER INSERT
AS
"""
_BODY = """\
BEGIN
  SET NOCOUNT ON;
  SET XACT_ABORT OFF; -- ON, as it is in triggers, every error would doom the login
  SET LOCK_TIMEOUT 50; -- milliseconds; what it was comes back at the trigger's end
  DECLARE @Left INT, @Id UNIQUEIDENTIFIER, @TokenRef CHAR(32), @ApiClientId INT;
  SELECT @Left = COUNT(*) FROM inserted;
  WHILE @Left > 0
  BEGIN
    BEGIN TRY
      SELECT TOP (1)
        @TokenRef = LOWER(LEFT(CONVERT(CHAR(64), HASHBYTES('SHA2_256', {token}), 2), 32)),
        @ApiClientId = i.ApiClient_ApiClientId,
        @Id = i.Id
      FROM inserted i
      WHERE @Id IS NULL OR i.Id > @Id
      ORDER BY i.Id;
      EXEC gatewaylog.LogIssuedToken @TokenRef, @ApiClientId;
    END TRY
    BEGIN CATCH
      IF XACT_STATE() = 1 -- -1: doomed, nothing can be written any more
      BEGIN
        BEGIN TRY
          EXEC gatewaylog.LogIssuedTokenAlone @TokenRef, @ApiClientId;
        END TRY
        BEGIN CATCH
          IF XACT_STATE() = 1
          BEGIN
            BEGIN TRY
              EXEC gatewaylog.CountTokenNotLogged;
            END TRY
            BEGIN CATCH
              SET @ApiClientId = NULL; -- the login matters more
            END CATCH;
          END;
        END CATCH;
      END;
    END CATCH;
    SET @Left = @Left - 1;
  END;
END;
"""
_TOKENS: dict[TokenFormat, str] = {
    "N": "LOWER(REPLACE(CONVERT(VARCHAR(36), i.Id), '-', ''))",
    "D": "LOWER(CONVERT(VARCHAR(36), i.Id))",
}
_TAIL = """\
GO
SET NOEXEC OFF;
GO"""
_REMOVE = """\
-- gatewaylog: removes the trigger; rows stay, and the view over them.
-- DROP VIEW dbo.ClientAccessTokenLogs; DROP TABLE gatewaylog.ClientAccessTokenLogs;
-- DROP SEQUENCE gatewaylog.TokensNotLogged; DROP SCHEMA gatewaylog; removes these too.
SET LOCK_TIMEOUT 500; -- milliseconds: who logs in waits behind it
GO
IF OBJECT_DEFINITION(OBJECT_ID('dbo.dbo_ClientAccessToken_TR_Insert', 'TR')) LIKE '%gatewaylog%'
  DROP TRIGGER dbo.dbo_ClientAccessToken_TR_Insert;
GO
-- A trigger that is still there, as its table is locked or its text can't be read, needs them.
IF OBJECT_ID('dbo.dbo_ClientAccessToken_TR_Insert', 'TR') IS NOT NULL
  AND ISNULL(
    OBJECT_DEFINITION(OBJECT_ID('dbo.dbo_ClientAccessToken_TR_Insert', 'TR')), 'gatewaylog'
  ) LIKE '%gatewaylog%'
BEGIN
  RAISERROR('dbo.dbo_ClientAccessToken_TR_Insert is still there, nothing was removed: try again.',
    16, 1);
END
ELSE
BEGIN
  DROP PROCEDURE IF EXISTS gatewaylog.LogIssuedToken;
  DROP PROCEDURE IF EXISTS gatewaylog.LogIssuedTokenAlone;
  DROP PROCEDURE IF EXISTS gatewaylog.CountTokenNotLogged;
END;
GO"""
_STATUS = """\
-- gatewaylog: the trigger's state, its cost, and the rows it has written.
SELECT
  t.name AS TriggerName,
  t.is_disabled AS IsDisabled,
  s.execution_count AS Executions,
  s.total_elapsed_time / 1000.0 / s.execution_count AS MillisecondsEach,
  s.total_worker_time / 1000.0 / s.execution_count AS WorkerMillisecondsEach
FROM sys.triggers t
LEFT JOIN sys.dm_exec_trigger_stats s
  ON s.object_id = t.object_id AND s.database_id = DB_ID()
WHERE t.name = 'dbo_ClientAccessToken_TR_Insert';
SELECT COUNT_BIG(*) AS LogRows, MIN(AccessTime) AS Oldest, MAX(AccessTime) AS Newest
FROM gatewaylog.ClientAccessTokenLogs;
SELECT CONVERT(BIGINT, current_value) AS NotLogged
FROM sys.sequences
WHERE object_id = OBJECT_ID('gatewaylog.TokensNotLogged');
EXEC sp_spaceused 'gatewaylog.ClientAccessTokenLogs';
GO"""


def trigger_body(token_format: TokenFormat) -> str:
    """Return what the trigger does, without its head."""
    return _BODY.format(token=_TOKENS[token_format])


def install_script(token_format: TokenFormat) -> str:
    """Return the installation; it can be run again, and stops where the guide's own trigger is."""
    trigger = _TRIGGER + trigger_body(token_format)
    return _HEAD + _CHECKS + _TABLE + _VIEW + _PROCEDURES + trigger + _TAIL


def remove_script() -> str:
    """Return what removes the trigger; rows stay."""
    return _REMOVE


def status_script() -> str:
    """Return queries for the trigger's state and cost, and the size of its table."""
    return _STATUS
