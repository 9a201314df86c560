"""The use and the life of tokens in SQLite or PostgreSQL: tables that rows are only added to.

`install.install` makes them, `gatewaylog ship --to database` fills them, `retention` lets go of
what is old. `tables` has them for queries.
"""
