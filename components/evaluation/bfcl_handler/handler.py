"""The handler of a served model, in the form that bfcl-eval's runner wants."""

from typing import Any

from bfcl_eval.model_handler.api_inference.openai_completion import OpenAICompletionsHandler
from bfcl_eval.model_handler.utils import convert_to_function_call
from bfcl_eval.utils import contain_multi_turn_interaction

from components.evaluation.bfcl_handler.conversation import Conversation
from components.evaluation.bfcl_handler.served_model import ServedModel


class ServedModelHandler(OpenAICompletionsHandler):  # type: ignore[misc]
    """Asks and reads as `Conversation` does; the rest is bfcl-eval's own.

    A result is {"text", "calls", "unreadable"}. served: given by the table of models. OPENAI_BASE_URL and
    OPENAI_API_KEY are looked at first, as in bfcl-eval.
    """

    served: ServedModel

    def __init__(self, *words: Any, served: ServedModel, **values: Any) -> None:
        self.served = served
        super().__init__(*words, **values)

    def _build_client_kwargs(self) -> dict[str, Any]:
        given: dict[str, Any] = super()._build_client_kwargs()
        return {"base_url": self.served.url, "api_key": "none"} | given

    def decode_ast(self, result: Any, language: Any, has_tool_call_tag: bool) -> list[dict[str, Any]]:
        """The calls of one turn.

        Raises:
            ValueError: the turn also holds a call that can't be read, or there is no turn.
        """
        if not isinstance(result, dict):
            raise ValueError(f"no turn of the model: {result!r}")
        if result["unreadable"]:
            raise ValueError(f"unreadable call: {result['unreadable'][0]!r}")
        return list(result["calls"])

    def decode_execute(self, result: Any, has_tool_call_tag: bool) -> list[str]:
        """The calls of one step as Python's text; those that can't be read are left out.

        Raises:
            ValueError: there is no turn.
        """
        if not isinstance(result, dict):
            raise ValueError(f"no turn of the model: {result!r}")
        return list(convert_to_function_call(list(result["calls"])))

    def _pre_query_processing_FC(self, inference_data: dict[str, Any], test_entry: Any) -> dict[str, Any]:
        single_turn = not contain_multi_turn_interaction(test_entry["id"])
        inference_data["conversation"] = Conversation(self.served, single_turn=single_turn)
        return inference_data

    def _compile_tools(self, inference_data: dict[str, Any], test_entry: Any) -> dict[str, Any]:
        inference_data["conversation"].offer(test_entry["function"])
        return inference_data

    def add_first_turn_message_FC(
        self, inference_data: dict[str, Any], first_turn_message: Any
    ) -> dict[str, Any]:
        """Begin the conversation."""
        inference_data["conversation"].begin(first_turn_message)
        return inference_data

    def _add_next_turn_user_message_FC(
        self, inference_data: dict[str, Any], user_message: Any
    ) -> dict[str, Any]:
        for message in user_message:
            inference_data["conversation"].add_user(message["content"])
        return inference_data

    def _query_FC(self, inference_data: dict[str, Any]) -> tuple[Any, float]:
        conversation: Conversation = inference_data["conversation"]
        body = conversation.request()
        inference_data["inference_input_log"] = body
        reply, seconds = self.generate_with_backoff(
            model=self.model_name, temperature=self.temperature, **body
        )
        return (conversation, reply), seconds

    def _parse_query_response_FC(self, api_response: Any) -> dict[str, Any]:
        conversation, reply = api_response
        return {
            "model_responses": conversation.read(reply.choices[0].message.model_dump()),
            "input_token": reply.usage.prompt_tokens if reply.usage else 0,
            "output_token": reply.usage.completion_tokens if reply.usage else 0,
        }

    def _add_assistant_message_FC(
        self, inference_data: dict[str, Any], model_response_data: dict[str, Any]
    ) -> dict[str, Any]:
        inference_data["conversation"].add_turn(model_response_data["model_responses"]["text"])
        return inference_data

    def _add_execution_results_FC(
        self, inference_data: dict[str, Any], execution_results: Any, model_response_data: dict[str, Any]
    ) -> dict[str, Any]:
        names = [next(iter(call)) for call in model_response_data["model_responses"]["calls"]]
        inference_data["conversation"].add_replies(execution_results, names)
        return inference_data
