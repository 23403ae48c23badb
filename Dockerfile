# docker build -t photo-colorizer .
# docker run --rm -v "$PWD:/photos" photo-colorizer --input /photos --output /photos/colorized
FROM python:3.13-slim
WORKDIR /build
COPY . .
RUN pip install --no-cache-dir ".[page]" && rm -rf /build/* && useradd --create-home colorizer
USER colorizer
WORKDIR /photos
ENTRYPOINT ["colorize"]
