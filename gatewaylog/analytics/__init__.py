"""Searches of big logs by DuckDB, over a Parquet cache beside the log; Parquet as an output.

The extra `analytics` installs DuckDB, which only functions here import. A log's lines are read
by our own parser, once, into files that each hold a range of its bytes (`segments`). A query is
then asked for the distinct rows of the fields it looks at and how often each came, which is what
`gatewaylog.search.Gathering` makes of lines too: tests, commands and sums are the same code, so
that the answer is the same.
"""
