"""Where the application is found: ``wsgi:served`` by granian, ``wsgi:app`` by gunicorn and ``flask run``."""

from app.core.http import LARGEST_BODY
from app.core.settings import settings_or_exit
from app.factory import create_app
from app.serve import Served

app = create_app(settings_or_exit())
served = Served(app.wsgi_app, LARGEST_BODY)
