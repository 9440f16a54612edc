"""Every pipeline's declaration that cannot be read is the import error that Airflow shows for this file; the DAGs
of the others are unharmed.

It defines no DAG: the stages are in ingest.py, features.py, train.py and score.py.
"""

from airloom.core.declaration import read_pipelines
from airloom.core.errors import DeclarationError
from airloom.core.settings import Settings

errors = read_pipelines(Settings.from_environment().include)[1]
if errors:
    raise DeclarationError("\n\n".join(map(str, errors)))
