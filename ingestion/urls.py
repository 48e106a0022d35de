"""Pages and API addresses of this app."""

app_name = "ingestion"

pages: list = []
api: list = []
