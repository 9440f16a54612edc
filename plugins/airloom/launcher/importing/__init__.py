"""Moving house: everything that an installation on one machine has made, brought to servers."""
