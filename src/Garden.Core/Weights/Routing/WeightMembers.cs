namespace Garden.Weights;

/// <summary>Which ranks of the two meshes take part in an update. Immutable; a rank that joins or leaves gives another set and, with it, another schedule.</summary>
public sealed class WeightMembers : IEquatable<WeightMembers>
{
    private readonly bool[] _trainers;
    private readonly bool[] _inference;

    private WeightMembers(bool[] trainers, bool[] inference)
    {
        _trainers = trainers;
        _inference = inference;
    }

    /// <summary>Number of the trainer mesh's ranks, absent ones included.</summary>
    public int TrainerRanks => _trainers.Length;

    /// <summary>Number of the inference mesh's ranks, absent ones included.</summary>
    public int InferenceRanks => _inference.Length;

    /// <summary>Trainer ranks that take part.</summary>
    public int Trainers => _trainers.AsSpan().Count(true);

    /// <summary>Inference ranks that take part.</summary>
    public int Receivers => _inference.AsSpan().Count(true);

    /// <summary>All ranks of both meshes.</summary>
    public static WeightMembers All(WeightMesh trainer, WeightMesh inference)
    {
        bool[] trainers = new bool[trainer.Ranks], receivers = new bool[inference.Ranks];
        trainers.AsSpan().Fill(true);
        receivers.AsSpan().Fill(true);
        return new WeightMembers(trainers, receivers);
    }

    internal static WeightMembers Of(bool[] trainers, bool[] inference) => new(trainers, inference);

    /// <summary>True when a trainer rank takes part.</summary>
    /// <exception cref="IndexOutOfRangeException">The mesh has no such rank.</exception>
    public bool HasTrainer(int rank) => _trainers[rank];

    /// <summary>True when an inference rank takes part.</summary>
    /// <exception cref="IndexOutOfRangeException">The mesh has no such rank.</exception>
    public bool HasInference(int rank) => _inference[rank];

    /// <summary>The same with a trainer rank in or out.</summary>
    /// <exception cref="IndexOutOfRangeException">The mesh has no such rank.</exception>
    public WeightMembers WithTrainer(int rank, bool present) => new(With(_trainers, rank, present), _inference);

    /// <summary>The same with an inference rank in or out.</summary>
    /// <exception cref="IndexOutOfRangeException">The mesh has no such rank.</exception>
    public WeightMembers WithInference(int rank, bool present) => new(_trainers, With(_inference, rank, present));

    /// <inheritdoc/>
    public bool Equals(WeightMembers? other) =>
        other is not null && _trainers.AsSpan().SequenceEqual(other._trainers) && _inference.AsSpan().SequenceEqual(other._inference);

    /// <inheritdoc/>
    public override bool Equals(object? obj) => Equals(obj as WeightMembers);

    /// <inheritdoc/>
    public override int GetHashCode() => HashCode.Combine(TrainerRanks, InferenceRanks, Trainers, Receivers);

    /// <inheritdoc/>
    public override string ToString() => $"{Trainers} of {TrainerRanks} trainer ranks, {Receivers} of {InferenceRanks} inference ranks";

    private static bool[] With(bool[] present, int rank, bool value)
    {
        bool[] changed = [.. present];
        changed[rank] = value;
        return changed;
    }
}
