"""Pages and API addresses of this app."""

app_name = "models_ml"

pages: list = []
api: list = []
