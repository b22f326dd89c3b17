"""Methods that other people compare with on videos."""
