"""The algebra of resources, which follows ``src/v1/resources.cpp`` of Mesos."""
