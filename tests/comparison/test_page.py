"""A comparison as a page, a table and text, which say the same."""

import csv
import io
import json

from memae_jax.comparison import differences, page


def test_events_of_videos_are_compared(made, tmp_path):
  comparison = differences.compare([str(made / 'video')], 10)
  assert comparison['metrics'][-1] == 'event_f1'
  first, other = comparison['entries']
  expected = first['metrics']['event_f1']['mean']
  gap = other['difference']['metrics']['event_f1']
  assert gap['mean'] == other['metrics']['event_f1']['mean'] - expected
  row, _ = csv.DictReader(io.StringIO(page.as_csv(comparison)))
  assert float(row['event_f1']) == expected
  for name in ('event_recall', 'false_alarms', 'latency_aware_ap'):
    assert float(row[name]) == first['metrics'][name]['mean']
    assert name not in comparison['metrics']
  assert row['detection_delay_seconds'] == ''  # The rate is not known.
  written = page.write(comparison, tmp_path / 'out').read_text()
  for words in ('Events and alarms', 'Events found', 'Latency-aware AP'):
    assert words in written
  assert 'Delay in seconds' not in written and 'Event F1' in page.text(
    comparison
  )


def test_images_have_no_events(made, tmp_path):
  comparison = differences.compare([str(made / 'b')], 10)
  assert 'event_f1' not in comparison['metrics']
  assert 'event_' not in page.as_csv(comparison)
  written = page.write(comparison, tmp_path / 'out').read_text()
  assert 'Events and alarms' not in written


def test_files_and_text(made, tmp_path):
  comparison = differences.compare([str(made / 'b')], 10)
  written = page.write(comparison, tmp_path / 'out')
  assert '<h1>Comparison of 1 run</h1>' in written.read_text()
  assert 'src="http' not in written.read_text()
  assert json.loads((tmp_path / 'out/compare.json').read_text()) == json.loads(
    json.dumps(comparison)
  )
  row, _ = csv.DictReader(io.StringIO(page.as_csv(comparison)))
  assert (
    float(row['auroc']) == comparison['entries'][0]['metrics']['auroc']['mean']
  )
  assert row['auroc_difference'] == '' and float(row['training_seconds']) > 0
  assert 'MemAE  ' in page.text(comparison)
