"""VGG-11 (Simonyan and Zisserman 2014) for small pictures."""

import torch.nn as nn
import torch.nn.functional as F

CONFIG = [64, "M", 128, "M", 256, 256, "M", 512, 512, "M", 512, 512, "M"]


class VGG(nn.Module):
    def __init__(self, num_classes=10):
        super().__init__()
        layers = []
        channels = 3
        for step in CONFIG:
            if step == "M":
                layers += [nn.MaxPool2d(kernel_size=2, stride=2)]
            else:
                layers += [nn.Conv2d(channels, step, 3, padding=1), nn.ReLU(True)]
                channels = step
        self.features = nn.Sequential(*layers)
        self.fc1 = nn.Linear(512, 256)
        self.fc2 = nn.Linear(256, num_classes)

    def forward(self, x):
        x = self.features(x)
        x = x.view(x.size(0), -1)
        x = F.dropout(F.relu(self.fc1(x)), 0.5, self.training)
        return F.log_softmax(self.fc2(x), dim=1)


def vgg11():
    return VGG()
