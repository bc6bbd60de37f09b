"""A text classifier: embedding, two-layer bidirectional LSTM, both last states joined."""

import torch
from torch import nn


class LSTMClassifier(nn.Module):
    def __init__(self, vocab_size=500, embed_dim=32, hidden_dim=48, num_classes=4):
        super().__init__()
        self.hidden_dim = hidden_dim
        self.embedding = nn.Embedding(vocab_size, embed_dim, padding_idx=0)
        self.lstm = nn.LSTM(
            embed_dim, hidden_dim, num_layers=2, bidirectional=True, batch_first=True, dropout=0.3
        )
        self.dropout = nn.Dropout(0.5)
        self.fc = nn.Linear(2 * hidden_dim, num_classes)

    def forward(self, text):
        h0 = torch.zeros(4, text.size(0), self.hidden_dim)
        c0 = torch.zeros(4, text.size(0), self.hidden_dim)
        embedded = self.embedding(text)
        output, (hidden, cell) = self.lstm(embedded, (h0, c0))
        hidden = torch.cat((hidden[-2, :, :], hidden[-1, :, :]), dim=1)
        return self.fc(self.dropout(hidden))


def lstm_classifier():
    return LSTMClassifier()
