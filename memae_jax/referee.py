"""The whole evaluation of this project for scores that anybody brings.

python -m memae_jax.referee scores.npy --labels=labels.npy --output=verdict
python -m memae_jax.referee scores/ --labels=labels/ --output=verdict
python -m memae_jax.referee scores.csv --normal=normals.csv --output=verdict

Scores are an npy, npz or csv file, or a folder with one file for each video. A
table, or an npz file, has `score` and, without --labels, `label`; it may have
`video` and `frame`. Labels are 0 (normal) and 1 (anomalous). Null predictors
stand beside the scores; without scores they stand alone. Writes results.json
and report.html to --output, and nothing if a file is wrong.
"""

from absl import flags

from memae_jax import cli
from memae_jax.refereeing import command, given

_TEXTS = {
  'labels': 'Labels, in the order of the scores or by video: a file or folder.',
  'video_lengths': 'Frames of each video, 180,180,150 or a file of numbers'
  ' (json, npy, text), where one array has the frames of all videos.',
  'normal': 'Scores of validation normals, which set thresholds.',
  'normal_video_lengths': 'Frames of each video of --normal.',
  'output': 'Folder to write to.',
}
_NUMBERS = {  # Field of `config.eval`: (default, least, greatest, help).
  'flag_ratio': (0.0, 0.0, 1.0, 'Share that is flagged; 0: the base rate.'),
  'normal_quantile': (0.95, 1e-9, 1.0, 'Quantile of --normal: the threshold.'),
  'false_alarm': (0.01, 1e-9, 0.5, 'Rate of false alarms that is promised.'),
  'fdr': (0.1, 1e-9, 0.5, 'Rate of false discoveries that is promised.'),
  'alarms_per_hour': (0.0, 0.0, None, 'Alarms per hour of video; 0: none.'),
  'alarm_gap': (1.0, 0.0, None, 'Seconds within which alarms are one.'),
}


def run(*words: str) -> None:
  """Judges the scores in the file `words[0]`, or labels alone."""
  options = flags.FLAGS
  settings = {name: options[name].value for name in _NUMBERS}
  command.run(
    given.Options(
      scores=words[0] if words else '',
      frame_rate=options.frame_rate,
      higher_is_normal=options.higher_is_normal,
      settings=settings | {'bootstrap': options.resamples},
      **{name: options[name].value for name in _TEXTS},
    )
  )


if __name__ == '__main__':
  for name, text in _TEXTS.items():
    flags.DEFINE_string(name, '', text)
  for name, (default, low, high, text) in _NUMBERS.items():
    flags.DEFINE_float(name, default, text, low, high)
  flags.DEFINE_float('frame_rate', 0.0, 'Frames per second.', 0.0)
  flags.DEFINE_boolean(
    'higher_is_normal', False, 'High scores are normal: turn them round.'
  )
  flags.DEFINE_integer(
    'resamples', 200, 'Resamples of the intervals; 0: none.', lower_bound=0
  )
  cli.main(run, arguments=1)
