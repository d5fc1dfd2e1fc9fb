"""What processes count of themselves, and the way Prometheus reads it; it knows no app.

`counting` keeps the figures, `processes` looks at memory, `exposing` answers whoever has the
token: on the web's own port, and for the other roles on one of their own.
"""
