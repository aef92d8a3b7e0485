"""An index behind a small web server: a REST endpoint and one page."""
