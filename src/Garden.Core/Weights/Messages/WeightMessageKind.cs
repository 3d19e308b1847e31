namespace Garden.Weights;

/// <summary>The messages of a weight update. docs/weight-updates.md says who sends which when.</summary>
internal enum WeightMessageKind : byte
{
    /// <summary>Trainer → receiver or trainer: who it is and what plan it has.</summary>
    Hello = 1,

    /// <summary>The hello is accepted.</summary>
    Welcome = 2,

    /// <summary>The hello is refused, and why.</summary>
    Refusal = 3,

    /// <summary>Receiver → trainer: where to write a step.</summary>
    Offer = 4,

    /// <summary>Receiver → trainer: how a step has ended here. Trainer → receiver: that it gave a step up, and why.</summary>
    Done = 5,

    /// <summary>Trainer → trainer: where to write what the converting rank of a block gathers.</summary>
    Gather = 6,

    /// <summary>Trainer → trainer: what was asked for cannot be sent, and why.</summary>
    GatherRefusal = 7,

    /// <summary>Trainer → trainer: the sender gathers nothing more for this step, nor for any before.</summary>
    Gathered = 8,
}
