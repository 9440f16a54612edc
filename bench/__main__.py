"""Every side-by-side measurement, as tables: `make bench`."""

from bench import materialize

materialize.main()
