"""What a run has cost, as far as its attempts tell."""

from memae_jax.comparison import attempts


def test_a_torn_line_of_attempts_does_not_spoil_the_next(tmp_path):
  attempts.note(tmp_path, event='start')
  with (tmp_path / 'attempts.jsonl').open('a') as file:
    file.write('{"event": "e')
  attempts.note(tmp_path, event='start')
  attempts.note(tmp_path, event='end', seconds=2.5, code=0)
  assert attempts.costs(tmp_path) == attempts.Costs(2.5, 2, 1)
