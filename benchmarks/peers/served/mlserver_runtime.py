"""What MLServer runs: a tensor a column, as the protocol has it, put side by side."""

import joblib
import numpy as np
from mlserver import MLModel
from mlserver.codecs import NumpyCodec
from mlserver.types import InferenceRequest, InferenceResponse


class Columns(MLModel):
    async def load(self) -> bool:
        self.estimator = joblib.load(self.settings.parameters.uri)
        return True

    async def predict(self, payload: InferenceRequest) -> InferenceResponse:
        columns = [column.data.root for column in payload.inputs]
        features = np.empty((len(columns[0]), len(columns)), dtype=object)
        for position, column in enumerate(columns):
            features[:, position] = column
        predicted = self.estimator.predict(features).reshape(-1, 1)
        output = NumpyCodec.encode_output("prediction", predicted)
        return InferenceResponse(model_name=self.name, outputs=[output])
