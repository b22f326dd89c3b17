"""The command that writes a board: a mistake is one line."""

from tests import finished, helpers


def _run(*words):
  process = helpers.start(*words, module='memae_jax.board')
  out, err = process.communicate(timeout=100)
  return process.returncode, out, err


def test_a_page(tmp_path):
  finished.write(tmp_path / 'runs/one')
  to = tmp_path / 'page.html'
  code, out, err = _run(str(tmp_path / 'runs'), f'--to={to}')
  assert (code, out, err) == (0, f'board: {to}\n', '')
  assert 'href="runs/one/results.json"' in to.read_text()


def test_one_clear_line(tmp_path):
  code, out, err = _run(str(tmp_path))
  assert code == 2 and 'holds no run' in err and not out
  assert len(err.splitlines()) == 1
