"""Where granian, gunicorn and ``flask run`` find the application."""

from app.factory import create_app

app = create_app()
