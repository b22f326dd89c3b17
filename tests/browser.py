"""A browser without a window, for tests of pages."""

import base64
import contextlib
import shutil

import pytest

_FLAGS = (
  'headless=new', 'no-sandbox', 'disable-gpu', 'disable-quic', 'no-first-run',
  'disable-background-networking', 'disable-component-update', 'disable-sync',
)  # fmt: skip
_NAMES = 'chromium', 'chromium-browser', 'google-chrome'
HEIGHT = 900


@contextlib.contextmanager
def started(profile):
  """Yields a Chromium that Selenium drives; skips where there is none.

  Args:
    profile: a new folder for it.
  """
  webdriver = pytest.importorskip(
    'selenium.webdriver', reason='Selenium is not installed'
  )
  program = next(filter(None, map(shutil.which, _NAMES)), None)
  driver = shutil.which('chromedriver')
  if not (program and driver):
    missing = 'chromedriver' if program else 'chromium'
    pytest.skip(f'there is no {missing} on this machine')
  options = webdriver.ChromeOptions()
  options.binary_location = program
  for flag in (*_FLAGS, f'user-data-dir={profile}'):
    options.add_argument(f'--{flag}')
  options.set_capability('goog:loggingPrefs', {'browser': 'ALL'})
  service = webdriver.ChromeService(driver)
  browser = webdriver.Chrome(options, service)
  try:
    yield browser
  finally:
    browser.quit()


def show(browser, page, width=1300, scheme='light', media=''):
  """Opens a page anew, in a window of a width, light or dark, or printed."""
  size = {'width': width, 'height': HEIGHT}
  browser.execute_cdp_cmd(
    'Emulation.setDeviceMetricsOverride',
    {**size, 'deviceScaleFactor': 1, 'mobile': False},
  )
  scheme = {'name': 'prefers-color-scheme', 'value': scheme}
  browser.execute_cdp_cmd(
    'Emulation.setEmulatedMedia', {'media': media, 'features': [scheme]}
  )
  browser.get('about:blank')
  browser.get(page.as_uri())


def save(browser, path, most=6000):
  """Writes what the page looks like, from its top to `most` pixels below."""
  width, height = browser.execute_script(
    'return [innerWidth, document.documentElement.scrollHeight]'
  )
  shot = browser.execute_cdp_cmd(
    'Page.captureScreenshot',
    {
      'captureBeyondViewport': True,
      'clip': {'x': 0, 'y': 0, 'width': width, 'height': min(height, most),
               'scale': 1},
    },
  )  # fmt: skip
  path.write_bytes(base64.b64decode(shot['data']))
