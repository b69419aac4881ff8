"""What every surface needs: public names for people who write an adapter, a server or a bot.

Each name is loaded on first use. `tests/integrations/test_imports.py` holds that the adapters of
this repository take what they need from here, `framesift`, `framesift.errors` and
`framesift.export`, and from nowhere else; the server mounts `framesift.playground` besides.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from framesift._names import PublicNames

if TYPE_CHECKING:
    from framesift.answering import tool_calls as tool_calls
    from framesift.answering.warming import compiles as compiles
    from framesift.answering.warming import warm_up as warm_up
    from framesift.disk.content_files import save_content as save_content
    from framesift.disk.content_files import saved_content as saved_content
    from framesift.disk.temporary import new_folder as new_folder
    from framesift.disk.tensors import TensorFile as TensorFile
    from framesift.disk.writing import home_path as home_path
    from framesift.disk.writing import write_atomically as write_atomically
    from framesift.run import throttled as throttled
    from framesift.serving._folder_names import FOLDER_SCHEME as FOLDER_SCHEME
    from framesift.serving._folder_names import FolderPage as FolderPage
    from framesift.serving.agent_models import AgentModels as AgentModels
    from framesift.serving.agent_models import with_names as with_names
    from framesift.serving.assistant import Assistant as Assistant
    from framesift.serving.assistant_cache import AssistantCache as AssistantCache
    from framesift.serving.chat_reply import ChatReply as ChatReply
    from framesift.serving.chat_requests import ChatRequest as ChatRequest
    from framesift.serving.chat_requests import chat_request as chat_request
    from framesift.serving.client_input import SOON_SECONDS as SOON_SECONDS
    from framesift.serving.client_input import ClientInput as ClientInput
    from framesift.serving.client_input import ending_soon as ending_soon
    from framesift.serving.folders import AllowedFolders as AllowedFolders
    from framesift.serving.folders import folder_of as folder_of
    from framesift.serving.frames_as_pictures import PictureRun as PictureRun
    from framesift.serving.frames_as_pictures import enough_pictures as enough_pictures
    from framesift.serving.frames_as_pictures import picture_runs as picture_runs
    from framesift.serving.hosts import KnownHosts as KnownHosts
    from framesift.serving.json_members import edited_json as edited_json
    from framesift.serving.json_members import read_json as read_json
    from framesift.serving.kept_media import keep_videos as keep_videos
    from framesift.serving.kept_media import kept_videos as kept_videos
    from framesift.serving.length import length_seconds as length_seconds
    from framesift.serving.lines import NOTHING_FOUND as NOTHING_FOUND
    from framesift.serving.lines import TOY as TOY
    from framesift.serving.lines import check_knowledge as check_knowledge
    from framesift.serving.lines import error_line as error_line
    from framesift.serving.lines import option_error as option_error
    from framesift.serving.lines import toy_limitation as toy_limitation
    from framesift.serving.media import Media as Media
    from framesift.serving.media import content_id as content_id
    from framesift.serving.media import content_parts as content_parts
    from framesift.serving.media import data_uri as data_uri
    from framesift.serving.media import media_of as media_of
    from framesift.serving.message import Message as Message
    from framesift.serving.options import CompressionFields as CompressionFields
    from framesift.serving.options import GenerationFields as GenerationFields
    from framesift.serving.options import HomePath as HomePath
    from framesift.serving.options import OptionFields as OptionFields
    from framesift.serving.options import OptionOf as OptionOf
    from framesift.serving.options import ReaderSpecs as ReaderSpecs
    from framesift.serving.options import SelectorName as SelectorName
    from framesift.serving.options import StrategyName as StrategyName
    from framesift.serving.options import check_names as check_names
    from framesift.serving.plain_options import plain_address as plain_address
    from framesift.serving.plain_options import plain_option as plain_option
    from framesift.serving.read_text import AGENTS_READ as AGENTS_READ
    from framesift.serving.read_text import shown_transcript as shown_transcript
    from framesift.serving.remembered import Remembered as Remembered
    from framesift.serving.request_specs import check_request_spec as check_request_spec
    from framesift.serving.request_specs import split_specs as split_specs
    from framesift.serving.retrieved import find_pictures as find_pictures
    from framesift.serving.retrieved import select_pictures as select_pictures
    from framesift.serving.roles import ROLES as ROLES
    from framesift.serving.roles import Role as Role
    from framesift.serving.roles import role_of as role_of
    from framesift.serving.saved_pictures import saved_keyframe as saved_keyframe
    from framesift.serving.source_addresses import source_address as source_address
    from framesift.serving.termination import end_within as end_within
    from framesift.serving.termination import unwound_by_sigterm as unwound_by_sigterm
    from framesift.serving.too_long import frames_that_fit as frames_that_fit
    from framesift.serving.too_long import tokens_over as tokens_over
    from framesift.serving.uploads import Uploads as Uploads
    from framesift.serving.uploads import local_copy as local_copy
    from framesift.serving.videos_replaced import videos_replaced as videos_replaced
    from framesift.sources.file import file_path as file_path
    from framesift.sources.link_times import split_part as split_part
    from framesift.sources.listing import SUFFIXES as SUFFIXES
    from framesift.types.clock import clock as clock
    from framesift.types.clock import cut as cut
    from framesift.types.clock import span as span
    from framesift.types.compressed_files import token_tensors as token_tensors
    from framesift.types.options import ResizedBy as ResizedBy
    from framesift.types.spec import unknown_option as unknown_option
    from framesift.types.spec import unknown_part as unknown_part
    from framesift.types.text import whole_characters as whole_characters
    from framesift.vlms.base import VLM as VLM
    from framesift.vlms.knowledge import REAL_MODEL as REAL_MODEL

PublicNames(globals())
