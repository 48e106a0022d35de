"""Pages and API addresses of this app."""

app_name = "recommendations"

pages: list = []
api: list = []
