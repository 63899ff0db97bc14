# The project and Airflow in one image, run as an ordinary user.
#
#   docker build -t quickbooks-crm .        (PYTHON_IMAGE: any image with Python 3.11 to 3.13)

ARG PYTHON_IMAGE=python:3.12-slim-bookworm

FROM ${PYTHON_IMAGE} AS packages
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
RUN python -m venv /opt/venv
ENV PATH=/opt/venv/bin:$PATH
# The locked packages first: they change seldom, and this layer is kept while they do not.
COPY requirements.lock /tmp/requirements.lock
RUN pip install --require-hashes --requirement /tmp/requirements.lock
WORKDIR /opt/quickbooks-crm
COPY pyproject.toml README.md requirements.txt ./
COPY plugins plugins
RUN pip install --no-deps --editable . && python -m compileall -q plugins

FROM ${PYTHON_IMAGE}
# Group 0 may write what the user may, so that a platform can choose another user id.
RUN useradd --uid 50000 --gid 0 --home-dir /opt/airflow --no-create-home airflow \
    && install --directory --owner 50000 --group 0 --mode 0770 /opt/airflow
COPY --from=packages /opt/venv /opt/venv
COPY --from=packages /opt/quickbooks-crm /opt/quickbooks-crm
WORKDIR /opt/quickbooks-crm
COPY include include
COPY dags dags
ENV PATH=/opt/venv/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    AIRFLOW_HOME=/opt/airflow \
    AIRFLOW__CORE__DAGS_FOLDER=/opt/quickbooks-crm/dags \
    AIRFLOW__CORE__PLUGINS_FOLDER=/opt/quickbooks-crm/plugins \
    AIRFLOW__CORE__LOAD_EXAMPLES=False
USER 50000:0
CMD ["airflow", "version"]
