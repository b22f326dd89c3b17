"""KDD Cup 1999, the 10 percent file, as a TFDS data set without TensorFlow.

TFDS has a `kddcup99` of its own, which is the full file of 4.9 million rows;
papers on anomaly detection use this one. A TFDS example here is a block of
rows, as matrices compressed with zlib: one row per example takes minutes to
read back (0.4 ms each on a laptop core), the 61 blocks half a second.
"""

import io
import pathlib

import numpy as np
import tensorflow_datasets as tfds

from memae_jax.data.prepare.builders import raw
from memae_jax.runtime import errors

URL = 'http://kdd.ics.uci.edu/databases/kddcup99/kddcup.data_10_percent.gz'
FILES = ('kddcup.data_10_percent.gz', 'kddcup.data_10_percent')
# Checksum of the unpacked text: gzip headers differ for the same content.
SHA256 = 'f8c8267ebcd9c0ed1fd7d6277fe5bfff8732e9b7db8e61b873542b2a534b6f9a'
ROWS = 494_021
BLOCK = 8192  # Rows per example.

CATEGORIES = {
  'protocol_type': ('icmp', 'tcp', 'udp'),
  'service': tuple(
    'IRC X11 Z39_50 auth bgp courier csnet_ns ctf daytime discard domain'
    ' domain_u echo eco_i ecr_i efs exec finger ftp ftp_data gopher'
    ' hostnames http http_443 imap4 iso_tsap klogin kshell ldap link login'
    ' mtp name netbios_dgm netbios_ns netbios_ssn netstat nnsp nntp ntp_u'
    ' other pm_dump pop_2 pop_3 printer private red_i remote_job rje shell'
    ' smtp sql_net ssh sunrpc supdup systat telnet tftp_u tim_i time urh_i'
    ' urp_i uucp uucp_path vmnet whois'.split()
  ),
  'flag': tuple('OTH REJ RSTO RSTOS0 RSTR S0 S1 S2 S3 SF SH'.split()),
}
LABELS = tuple(
  'back buffer_overflow ftp_write guess_passwd imap ipsweep land loadmodule'
  ' multihop neptune nmap normal perl phf pod portsweep rootkit satan smurf'
  ' spy teardrop warezclient warezmaster'.split()
)
COLUMNS = tuple(
  'duration protocol_type service flag src_bytes dst_bytes land'
  ' wrong_fragment urgent hot num_failed_logins logged_in num_compromised'
  ' root_shell su_attempted num_root num_file_creations num_shells'
  ' num_access_files num_outbound_cmds is_host_login is_guest_login count'
  ' srv_count serror_rate srv_serror_rate rerror_rate srv_rerror_rate'
  ' same_srv_rate diff_srv_rate srv_diff_host_rate dst_host_count'
  ' dst_host_srv_count dst_host_same_srv_rate dst_host_diff_srv_rate'
  ' dst_host_same_src_port_rate dst_host_srv_diff_host_rate'
  ' dst_host_serror_rate dst_host_srv_serror_rate dst_host_rerror_rate'
  ' dst_host_srv_rerror_rate'.split()
)
NUMERIC = tuple(name for name in COLUMNS if name not in CATEGORIES)


class Kddcup99TenPercent(tfds.core.GeneratorBasedBuilder):
  """`kddcup99_ten_percent`: blocks of rows, in the order of the file.

  numeric: [B, 38] float64, columns `NUMERIC`.
  categories: [B, 3] uint8, indices into each of `CATEGORIES`.
  label: [B] uint8, indices into `LABELS`.
  """

  VERSION = tfds.core.Version('1.0.0')
  URLS = (URL,)
  raw_dir: pathlib.Path  # Holds the publisher's files; set by `prepare`.

  def _info(self) -> tfds.core.DatasetInfo:
    tensor = lambda width, dtype: tfds.features.Tensor(
      shape=(None, *width), dtype=dtype, encoding='zlib'
    )
    return tfds.core.DatasetInfo(
      builder=self,
      description=__doc__,
      homepage='http://kdd.ics.uci.edu/databases/kddcup99/kddcup99.html',
      disable_shuffling=True,
      features=tfds.features.FeaturesDict(
        {
          'numeric': tensor((len(NUMERIC),), np.float64),
          'categories': tensor((len(CATEGORIES),), np.uint8),
          'label': tensor((), np.uint8),
        }
      ),
    )

  def _split_generators(self, dl_manager):
    del dl_manager
    path = raw.find(self.raw_dir, FILES, URL)
    content = raw.unpacked(path, URL)
    raw.check(content, 'sha256', SHA256, path, URL)
    return {'train': self._generate_examples(parse(content, path))}

  def _generate_examples(self, table):
    numeric, categories, label = table
    for start in range(0, len(label), BLOCK):
      block = slice(start, start + BLOCK)
      yield (
        start,
        {
          'numeric': numeric[block],
          'categories': categories[block],
          'label': label[block],
        },
      )


def parse(
  content: bytes, path: pathlib.Path
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
  """Parses the rows of the file.

  Args:
    content: its text.
    path: of the file, for messages.

  Returns:
    numeric [S, 38] float64, categories [S, 3] uint8, label [S] uint8.

  Raises:
    UserError: a row, a value or the number of rows is not as published.
  """
  numeric_type = [(name, np.float64) for name in NUMERIC]
  text_type = [(name, 'U20') for name in (*CATEGORIES, 'label')]
  types = dict(numeric_type + text_type)
  dtype = [(name, types[name]) for name in (*COLUMNS, 'label')]
  try:
    table = np.loadtxt(
      io.BytesIO(content), dtype, delimiter=',', encoding='ascii', ndmin=1
    )
  except ValueError as error:
    raise errors.UserError(f'{path}: {error}') from error
  if len(table) != ROWS:
    raise errors.UserError(f'{path} has {len(table):,} rows, expected {ROWS:,}')
  labels = np.char.rstrip(table['label'], '.')
  return (
    np.stack([table[name] for name in NUMERIC], axis=1),
    np.stack(
      [_codes(path, n, table[n], known) for n, known in CATEGORIES.items()],
      axis=1,
    ),
    _codes(path, 'label', labels, LABELS),
  )


def _codes(path, column, values, known) -> np.ndarray:
  """Returns the indices [S] uint8 of values [S] among the known categories."""
  known = np.array(known)  # Sorted, as searchsorted needs.
  codes = np.minimum(np.searchsorted(known, values), len(known) - 1)
  unknown = known[codes] != values
  if unknown.any():
    row = int(unknown.argmax())
    raise errors.UserError(
      f'{path} line {row + 1}: column "{column}" is "{values[row]}", which'
      ' the published file does not have'
    )
  return codes.astype(np.uint8)
