"""Bootstrap intervals that resample plates, wells or compounds."""
