"""How it was measured, for a reader."""

import copy

from memae_jax.evaluation.report import methods_section


def test_each_section_has_rows_of_text(digits):
  sections = dict(methods_section.sections(digits['results']))
  assert {'Data', 'Score and weights', 'Environment'} <= set(sections)
  for rows in sections.values():
    assert rows and all(isinstance(text, str) for row in rows for text in row)
    assert not any('_' in name for name, _ in rows)
  data = dict(sections['Data'])
  dataset = digits['results']['dataset']
  assert data['sha256 of the data'] == dataset['data_sha256']


def test_what_is_not_known_is_said(digits):
  results = copy.deepcopy(digits['results'])
  results['dataset'] |= {'base_rate': None, 'remarks': []}
  results['environment'] = {
    'peak_memory': {
      'host_bytes': 2**30,
      'device_bytes': None,
      'device_reason': 'a CPU has none',
    }
  }
  results['error_maps'] = None
  sections = dict(methods_section.sections(results))
  assert 'Error maps' not in sections
  data = dict(sections['Data'])
  assert data['anomalous share of the test set'] == 'unknown: no labels'
  assert data['read as'] == 'it is'
  assert sections['Environment'] == [
    ('peak memory of the host', '1.00 GiB'),
    ('peak memory of a device', 'a CPU has none'),
  ]
