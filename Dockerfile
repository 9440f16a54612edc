# The image of every Python service of docker-compose.yaml and of deploy/helm: Airflow, Airloom, MLflow's server.
# Without the providers that the full image has: what runs is what the lock names and the tests have seen.
FROM apache/airflow:slim-3.3.2-python3.11

# An index with CPU builds of torch keeps the image some gigabytes smaller; empty takes what PyPI has.
ARG PIP_EXTRA_INDEX_URL=""
# More of Airflow's providers, such as apache-airflow-providers-cncf-kubernetes. What does not go with the lock is refused.
ARG PROVIDERS=""

USER 0
RUN mkdir -p /opt/airloom/var && chown -R 50000:0 /opt/airloom

USER 50000
WORKDIR /opt/airloom
COPY --chown=50000:0 requirements.txt ./
# hadolint ignore=SC2086
RUN pip install --no-cache-dir --requirement requirements.txt ${PROVIDERS}
COPY --chown=50000:0 pyproject.toml README.md LICENSE ./
COPY --chown=50000:0 config ./config
COPY --chown=50000:0 dags ./dags
COPY --chown=50000:0 plugins ./plugins
COPY --chown=50000:0 include ./include
# Compiled once here, instead of by every container at its first start.
RUN pip install --no-cache-dir --no-deps --editable . && python -m compileall -q dags plugins include config

ENV AIRFLOW_HOME=/opt/airloom/airflow \
    AIRLOOM_PROJECT=/opt/airloom \
    AIRLOOM_VAR=/opt/airloom/var

# Every command runs in the environment that Airloom sets; what the container's own environment says wins.
ENTRYPOINT ["/usr/bin/dumb-init", "--", "airloom", "exec", "--"]
CMD ["airflow", "version"]
