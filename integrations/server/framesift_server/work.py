"""Turns requests into calls of framesift, and its results into responses."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from torch import Tensor

from framesift import (
    Answer,
    CompressedVideo,
    FetchLimits,
    Generation,
    LocalVideo,
    Session,
    SiteOptions,
    Transcript,
    Turn,
    VideoCompressor,
    open_video,
)
from framesift.errors import (
    BudgetError,
    ForbiddenAddressError,
    InvalidOptionError,
    ModelError,
    UnknownNameError,
)
from framesift.export import engines
from framesift.serving import (
    VLM,
    check_knowledge,
    check_request_spec,
    compiles,
    length_seconds,
    warm_up,
)
from framesift_server.compressed import Compressed
from framesift_server.metering import Meter
from framesift_server.problems import ModelUnavailableError
from framesift_server.schemas import (
    AskRequest,
    CompressRequest,
    KeyframesRequest,
    KeyframesResponse,
    Picture,
    TranscriptRequest,
)
from framesift_server.settings import INSTEAD, Settings

Request = CompressRequest | KeyframesRequest | AskRequest | TranscriptRequest
Response = Compressed | KeyframesResponse | Answer | Transcript


class Work:
    """Does what requests ask, within the settings; models load with the first request for them."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._sessions = {model: Session(model) for model in settings.models}
        self.loaded: set[str] = set()
        """Models that are in memory."""
        self.failures: dict[str, str] = {}
        """Models that could not be loaded when they were last needed, and why."""

    def worker(self, request: Request) -> str:
        """Returns whose worker a request is for.

        Raises:
            SpecError: a model, an encoder or a part is unknown here; names those that are known.
            ForbiddenAddressError: synthetic videos are not allowed, or a spec reads what it names.
        """
        self._check_synthetic(request.video)
        for reader in request.text or ():
            check_request_spec("readers", reader, self._settings.readers)
        if isinstance(request, TranscriptRequest):
            return "transcript"
        check_request_spec("selectors", request.selector, self._settings.selectors)
        if isinstance(request, KeyframesRequest):
            return "keyframes"
        self._ratio(request)
        check_request_spec("strategies", request.strategy, self._settings.strategies)
        if isinstance(request, CompressRequest) and request.encoder is not None:
            return _served("encoder", request.encoder, self._settings.encoders)
        return _served("model", request.model or self._settings.models[0], self._settings.models)

    def _check_synthetic(self, address: str) -> None:
        if address[:12].lower() == "synthetic://" and not self._settings.allow_synthetic:
            raise ForbiddenAddressError(
                f"{address[:200]!r} is synthetic, which this server does not open; give an "
                "http(s) link, or start the server with --allow-synthetic"
            )

    def workers(self) -> set[str]:
        """Returns all that `worker` may return."""
        return {"transcript", "keyframes", *self._settings.models, *self._settings.encoders}

    def load(self, model: str) -> None:
        """Loads a model.

        Raises:
            ModelUnavailableError: it cannot be loaded; says why.
        """
        self.vlm(model)

    def open(self, address: str, upload: LocalVideo | None) -> LocalVideo:
        """Returns an upload, or the video at an address of a stranger.

        Raises:
            FramesiftError: it is not for strangers, or cannot be brought.
        """
        self._check_synthetic(address)
        return upload or open_video(address, self._limits)

    def warm_up(self) -> str | None:
        """Compiles the default model's decoding step; returns why not, None where it is."""
        return warm_up(self.vlm(self._settings.models[0]))

    def do(self, request: Request, meter: Meter, upload: LocalVideo | None = None) -> Response:
        """Returns the response to a request; takes its time.

        Args:
            request: what to do.
            meter: is told how long the video is.
            upload: the video, where the request names one that was uploaded.
        """
        if isinstance(request, AskRequest):
            self._check_knowledge(request)
        with upload or open_video(request.video, self._limits, site=_site(request)) as video:
            meter.note(video_milliseconds=round(1000 * length_seconds(video)))
            match request:
                case CompressRequest():
                    return self._compress(request, video)
                case KeyframesRequest():
                    return self._keyframes(request, video)
                case AskRequest():
                    return self._ask(request, video)
                case TranscriptRequest():
                    return VideoCompressor(**self._opening(request)).transcript(video)

    def _check_knowledge(self, request: AskRequest) -> None:
        """Refuses a question that a server without a model for real footage cannot answer.

        Raises:
            InvalidOptionError: the operator named no model, and the video is not synthetic.
        """
        if "models" in self._settings.model_fields_set:
            return
        check_knowledge(self.vlm(self.worker(request)), request.video, INSTEAD)

    def _compress(self, request: CompressRequest, video: LocalVideo) -> Compressed:
        if "prompt_embeds" in request.outputs and (request.question is None or request.encoder):
            raise InvalidOptionError(
                f"prompt_embeds of question={request.question!r} and encoder={request.encoder!r}; "
                "they need a question and the tower of a model; give a question and leave out "
                "encoder"
            )
        sift = self._compressor(request, encoder=request.encoder)
        notes: list[str] = []
        compressed = sift.compress(video, request.question, warn=notes.append)
        embeds, pictures = None, None
        if "prompt_embeds" in request.outputs:
            embeds = self._prompt_embeds(self.worker(request), compressed, str(request.question))
        if "keyframes" in request.outputs:
            frames = sift.keyframes(
                video,
                request.count,
                request.question,
                max_side_px=request.max_edge_px,
                warn=notes.append,
            )
            pictures = list(map(Picture.of, frames))
        warnings = list(dict.fromkeys(notes))
        compressed = replace(
            compressed,
            # A slow client keeps memory of the machine then, not of the accelerator.
            tokens=compressed.tokens.cpu(),
            layers=None if compressed.layers is None else compressed.layers.cpu(),
            report=compressed.report.model_copy(update={"warnings": warnings}),
        )
        return Compressed(request=request, video=compressed, embeds=embeds, pictures=pictures)

    def _prompt_embeds(self, model: str, video: CompressedVideo, question: str) -> Tensor:
        vlm = self.vlm(model)
        turn = Turn(role="user", text=question, videos=(video,))
        prompt = vlm.prompt([turn], positions="compact")
        return engines.prompt_embeds(vlm, prompt)

    def _keyframes(self, request: KeyframesRequest, video: LocalVideo) -> KeyframesResponse:
        sift = VideoCompressor(selector=request.selector, fps=request.fps, **self._opening(request))
        warnings: list[str] = []
        frames = sift.keyframes(
            video,
            request.count,
            request.question,
            max_side_px=request.max_edge_px,
            warn=warnings.append,
        )
        return KeyframesResponse(keyframes=list(map(Picture.of, frames)), warnings=warnings)

    def _ask(self, request: AskRequest, video: LocalVideo) -> Answer:
        generation = Generation(
            max_new_tokens=request.max_new_tokens,
            temperature=request.temperature,
            seed=request.seed,
            stop=request.stop,
            compiled=self._settings.compile and compiles(self.vlm(self.worker(request))),
        )
        return self._compressor(request).ask(
            video,
            request.question,
            generation=generation,
            evidence=request.evidence,
            text=request.text,
            max_text_tokens=request.max_text_tokens,
        )

    def _compressor(
        self, request: CompressRequest | AskRequest, encoder: str | None = None
    ) -> VideoCompressor:
        most = self._settings.max_frames
        return VideoCompressor(
            vlm=None if encoder else self.vlm(self.worker(request)),
            encoder=encoder,
            strategy=request.strategy,
            selector=request.selector,
            keep=self._ratio(request),
            fps=request.fps,
            max_frames=min(request.max_frames or most, most),
            resized_by=self._settings.resized_by,
            **self._opening(request),
        )

    def _ratio(self, request: CompressRequest | AskRequest) -> float:
        """Returns the share that is kept.

        Raises:
            BudgetError: it is less than the operator allows.
        """
        ratio, least = request.compression_ratio, self._settings.min_compression_ratio
        if "compression_ratio" not in request.model_fields_set:
            return max(ratio, least)
        if ratio < least:
            raise BudgetError(
                f"compression_ratio={ratio:g} is below {least:g}, the least that is allowed here; "
                "give more, or start the server with a lower --min-compression-ratio"
            )
        return ratio

    def _opening(self, request: Request) -> dict[str, Any]:
        """Returns the options that say what may be opened, and what reads its text."""
        return {
            "text": ("subtitles",) if request.text is None else request.text,
            "text_folder": self._settings.text_folder,
            "limits": self._limits,
        }

    def vlm(self, model: str) -> VLM:
        """Returns a model, which is loaded where it is not yet.

        Raises:
            ModelUnavailableError: it cannot be loaded; says why.
        """
        try:
            vlm: VLM = self._sessions[model].vlm
        except ModelError as error:
            self.failures[model] = f"{model!r} cannot be loaded: {error}"
            raise ModelUnavailableError(self.failures[model]) from error
        self.loaded.add(model)
        self.failures.pop(model, None)
        return vlm

    @property
    def _limits(self) -> FetchLimits:
        return FetchLimits.untrusted(
            max_bytes=self._settings.max_fetch_bytes, max_pixels=self._settings.max_pixels
        )


def _site(request: Request) -> SiteOptions:
    """Returns what is taken of a site's page; nobody's login, whatever a request says."""
    languages = tuple(part.strip() for part in request.language.split(","))
    return SiteOptions(language=languages, max_height_px=request.max_height_px)


def _served(kind: str, name: str, served: Sequence[str]) -> str:
    if name not in served:
        raise UnknownNameError(
            f"{kind}={name!r} is not served here; choose one of: {', '.join(served)}"
        )
    return name
