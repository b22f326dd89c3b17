"""A comparison as a page, a table and text, which say the same."""

import csv
import io
import json

from memae_jax.comparison import differences, page


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
