"""Requests become calls of the core, and its results become responses."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from typing import Any

from framesift import (
    Answer,
    CompressedVideo,
    FetchLimits,
    Generation,
    LocalVideo,
    Session,
    Turn,
    VideoCompressor,
    open_video,
)
from framesift.errors import (
    ForbiddenAddressError,
    InvalidOptionError,
    ModelError,
    UnknownNameError,
)
from framesift.export import engines
from framesift.serving import check_knowledge
from framesift_server.problems import ModelUnavailableError
from framesift_server.schemas import (
    AskRequest,
    CompressRequest,
    CompressResponse,
    Features,
    KeyframesRequest,
    KeyframesResponse,
    Picture,
)
from framesift_server.settings import INSTEAD, Settings

Request = CompressRequest | KeyframesRequest | AskRequest
Response = CompressResponse | KeyframesResponse | Answer


class Work:
    """Does what requests ask, within the settings; models load with the first request for them."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._sessions = {model: Session(model) for model in settings.models}

    def worker(self, asked: Request) -> str:
        """Returns whose worker a request is for.

        Raises:
            UnknownNameError: the model or encoder is not served; names those that are.
            ForbiddenAddressError: synthetic videos are not allowed.
        """
        synthetic = asked.video[:12].lower() == "synthetic://"
        if synthetic and not self._settings.allow_synthetic:
            raise ForbiddenAddressError(
                f"{asked.video[:200]!r} is synthetic, which this server does not open; give an "
                "http(s) link, or start the server with --allow-synthetic"
            )
        if isinstance(asked, KeyframesRequest):
            return "keyframes"
        if isinstance(asked, CompressRequest) and asked.encoder is not None:
            return _served("encoder", asked.encoder, self._settings.encoders)
        return _served("model", asked.model or self._settings.models[0], self._settings.models)

    def do(self, asked: Request, upload: LocalVideo | None = None) -> Response:
        """Returns the response to a request; takes its time.

        Args:
            asked: what to do.
            upload: the video, where the request names one that was uploaded.
        """
        if isinstance(asked, AskRequest):
            self._check_knowledge(asked)
        with upload or open_video(asked.video, self._limits) as video:
            match asked:
                case CompressRequest():
                    return self._compress(asked, video)
                case KeyframesRequest():
                    return self._keyframes(asked, video)
                case AskRequest():
                    return self._ask(asked, video)

    def _check_knowledge(self, asked: AskRequest) -> None:
        """Refuses a question that a server without a model for real footage cannot answer.

        Raises:
            InvalidOptionError: the operator named no model, and the video is not synthetic.
        """
        if "models" in self._settings.model_fields_set:
            return
        check_knowledge(self._vlm(self.worker(asked)), asked.video, INSTEAD)

    def _compress(self, asked: CompressRequest, video: LocalVideo) -> CompressResponse:
        if "prompt_embeds" in asked.outputs and (asked.question is None or asked.encoder):
            raise InvalidOptionError(
                f"prompt_embeds of question={asked.question!r} and encoder={asked.encoder!r}; they "
                "need a question and the tower of a model; give a question and leave encoder out"
            )
        sift = self._compressor(asked, encoder=asked.encoder)
        notes: list[str] = []
        found = sift.compress(video, asked.question, warn=notes.append)
        features, embeds, pictures = None, None, None
        if "features" in asked.outputs:
            features = Features(
                data=base64.b64encode(engines.token_file(found)).decode(),
                shape=(found.tokens.shape[0], found.tokens.shape[1]),
                dtype=str(found.tokens.dtype).removeprefix("torch."),
            )
        if "prompt_embeds" in asked.outputs:
            embeds = self._prompt_embeds(self.worker(asked), found, str(asked.question))
        if "keyframes" in asked.outputs:
            frames = sift.keyframes(
                video,
                asked.count,
                asked.question,
                max_side_px=asked.max_edge_px,
                warn=notes.append,
            )
            pictures = list(map(Picture.of, frames))
        return CompressResponse(
            positions=found.positions.tolist(),
            pts_seconds=found.pts_seconds.tolist(),
            sources=found.plan.sources.tolist(),
            report=found.report.model_copy(update={"warnings": list(dict.fromkeys(notes))}),
            features=features,
            prompt_embeds=embeds,
            keyframes=pictures,
        )

    def _prompt_embeds(self, model: str, video: CompressedVideo, question: str) -> str:
        vlm = self._vlm(model)
        turn = Turn(role="user", text=question, videos=(video,))
        prompt = vlm.prompt([turn], positions="compact")
        return engines.base64_embeds(engines.prompt_embeds(vlm, prompt))

    def _keyframes(self, asked: KeyframesRequest, video: LocalVideo) -> KeyframesResponse:
        sift = VideoCompressor(selector=asked.selector, fps=asked.fps, limits=self._limits)
        warnings: list[str] = []
        frames = sift.keyframes(
            video,
            asked.count,
            asked.question,
            max_side_px=asked.max_edge_px,
            warn=warnings.append,
        )
        return KeyframesResponse(keyframes=list(map(Picture.of, frames)), warnings=warnings)

    def _ask(self, asked: AskRequest, video: LocalVideo) -> Answer:
        generation = Generation(
            max_new_tokens=asked.max_new_tokens,
            temperature=asked.temperature,
            seed=asked.seed,
            stop=asked.stop,
        )
        return self._compressor(asked).ask(
            video, asked.question, generation=generation, evidence=asked.evidence
        )

    def _compressor(
        self, asked: CompressRequest | AskRequest, encoder: str | None = None
    ) -> VideoCompressor:
        return VideoCompressor(
            vlm=None if encoder else self._vlm(self.worker(asked)),
            encoder=encoder,
            strategy=asked.strategy,
            keep=asked.compression_ratio,
            fps=asked.fps,
            max_frames=self._settings.max_frames,
            limits=self._limits,
        )

    def _vlm(self, model: str) -> Any:
        try:
            return self._sessions[model].vlm
        except ModelError as error:
            raise ModelUnavailableError(f"{model!r} cannot be loaded: {error}") from error

    @property
    def _limits(self) -> FetchLimits:
        return FetchLimits.untrusted(
            max_bytes=self._settings.max_fetch_bytes, max_pixels=self._settings.max_pixels
        )


def _served(kind: str, name: str, served: Sequence[str]) -> str:
    if name not in served:
        raise UnknownNameError(
            f"{kind}={name!r} is not served here; choose one of: {', '.join(served)}"
        )
    return name
