"""Tables of studies, made by hand."""


def row(**fields):
  """Returns the row of a finished point without metrics."""
  return {
    'fields': fields,
    'label': '',
    'published': None,
    'metrics': {},
    'memory': None,
    'validation_error': None,
    'replicas': 1,
    'run': 'run_0',
    'state': 'finished',
    'error': None,
    'run_replicas': 2,
    'wall_seconds': 3.0,
  }


def table(rows):
  """Returns the table of rows of one run, which differ in their variants."""
  run = {'run': 'run_0', 'state': 'finished', 'points': len(rows)}
  return {
    'name': 'mine',
    'base': 'digits',
    'metric': 'auroc',
    'varying': ['variant'],
    'points': rows,
    'ranks': None,
    'runs': [run],
    'wall_seconds': 3.0,
  }
