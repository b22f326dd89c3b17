"""A user's own videos: folders of frames, or video files.

python -m memae_jax.main --workdir=runs/mine \
  --config=configs/frames.py:path=videos,size=128

The folder holds train/VIDEO (normal; a folder of frames, or VIDEO.mp4), and, to
test on, test/VIDEO. Labels of the test frames come from labels=FILE (.npy,
.csv, .mat, .m, or a folder with a file for each video), else from masks in
ground_truth/VIDEO; without either, frames get scores but no metrics. Without
test, a share of the videos tests: --config.data.protocol=random_rows.

Arguments: path, labels, size (height in pixels), width (0: squares), colour
(auto, grey, rgb), stride (frames between training clips), task (reconstruct;
predict: the fifth frame from four), slots, seeds, variant (joined by "+"),
epochs, smoke. Anything else is set by --config.data.FIELD=...; the fields stand
in memae_jax/config/data_fields.py.
"""

from memae_jax import config as config_lib
from memae_jax.config import presets


def get_config(arg=''):
  """Trains three variants of the video network, at half its width."""
  args = config_lib.parse_arg(
    arg,
    path='',
    labels='',
    size=128,
    width=0,
    colour='auto',
    stride=1,
    task='reconstruct',
    slots=1000,
    seeds=1,
    variant='memae+nonspar+ae',
    epochs=30.0,
    smoke={'size': 32, 'slots': 10, 'epochs': 1.0},
  )
  config = presets.experiment('frames', args)
  config.data.path = args.path
  config.data.label_path = args.labels
  config.data.image_size = args.size
  config.data.image_width = args.width
  config.data.colour = args.colour
  config.data.clip_stride = args.stride
  config.data.protocol = 'given'
  config.data.scaling = 'fixed'

  widths = (8, 8, 8, 8) if args.smoke else (48, 64, 128, 128)
  presets.video_network(config, widths)
  presets.task(config, args.task)
  config.model.memory.threshold = 1.0
  config.train.batch_size = 8
  config.train.learning_rate = 2e-4
  config.eval.batch_size = 8
  return config
