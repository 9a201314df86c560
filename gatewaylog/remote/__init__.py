"""Logs that another program holds, asked over HTTP: ClickHouse and Loki.

What to ask is made by `gatewaylog.search`, which opens no socket; here it is sent, and what comes
back becomes the rows of a plan.
"""
