"""Bootstrap: the only place that knows concrete classes.

It puts a study's parts together and hands them to whoever asks.
"""

from autoresearch.bootstrap.place import Place, locate, spec_of
from autoresearch.bootstrap.study import Session, begun, create, open_record_of, open_session, studies

__all__ = ["Place", "Session", "begun", "create", "locate", "open_record_of", "open_session", "spec_of", "studies"]
