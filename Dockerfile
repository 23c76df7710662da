# syntax=docker/dockerfile:1
# The service: homing with PyTorch for processors. docs/guides/docker.md says how to use it.
FROM python:3.11-slim-bookworm AS build
SHELL ["/bin/bash", "-o", "pipefail", "-c"]
WORKDIR /src
RUN python -m venv /opt/homing
ENV PATH=/opt/homing/bin:$PATH
COPY constraints.txt ./
RUN pip install --no-cache-dir --constraint constraints.txt \
    --index-url https://download.pytorch.org/whl/cpu torch
COPY pyproject.toml README.md LICENSE NOTICE ./
COPY src ./src
RUN pip install --no-cache-dir --constraint constraints.txt '.[serve,c2pa]'

FROM python:3.11-slim-bookworm
COPY --from=build /opt/homing /opt/homing
RUN useradd --create-home --uid 10001 homing && mkdir /data && chown homing:homing /data
# Compiled code is kept with the archive: the installation cannot be written to.
ENV PATH=/opt/homing/bin:$PATH NUMBA_CACHE_DIR=/data/.compiled HOMING_CACHE=/data/.descriptors
USER 10001
WORKDIR /data
VOLUME /data
EXPOSE 8000
HEALTHCHECK --interval=30s --timeout=5s --start-period=60s CMD \
    ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8000/health')"]
ENTRYPOINT ["homing"]
CMD ["serve", "/data/archive", "--host", "0.0.0.0"]
