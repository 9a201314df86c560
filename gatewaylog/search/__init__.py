"""Splunk's search language, as far as an access log needs it: text, tokens, tree, plan, rows."""
