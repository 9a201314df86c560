"""One local page over a log: figures that are counted once and kept fresh, and a live tail.

`counting` runs in a process of its own: it reads the log from its begin, follows it, and sends the
figures as JSON. `recent` holds the last lines in the server's process, which queries are tried on;
`whole` runs one over all files when it is asked to, in a process that ends with its page.
`app` serves both to the page in `static` as server-sent events; `guard` decides who may ask.
`tokens` asks the store of token use while a page shows that, by `token_use` in a process too;
`apart` is what both of these processes have in common.
"""
