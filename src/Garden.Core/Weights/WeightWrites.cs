using System.Runtime.InteropServices;

namespace Garden.Weights;

/// <summary>
/// Writes the pieces of a route, all or some of them: a canonical run is one contiguous range. Pieces that are staged come from
/// <see cref="Staging"/>, where they must have been assembled before the plan is submitted.
/// </summary>
[StructLayout(LayoutKind.Sequential)]
public readonly struct WeightWrites : ITransferPlan<WeightWrites>
{
    /// <summary>The sender's tensors.</summary>
    public RegionHandle Source { get; init; }

    /// <summary>The sender's staging memory; needed only where pieces are staged.</summary>
    public RegionHandle Staging { get; init; }

    /// <summary>The receiver's tensors.</summary>
    public RegionHandle Destination { get; init; }

    /// <summary>What the receiver counts; a user's number is counted once a run.</summary>
    public Immediate Immediate { get; init; }

    /// <summary>The pieces.</summary>
    public WeightRouteHandle Route { get; init; }

    /// <summary>The first piece to write.</summary>
    public int First { get; init; }

    /// <summary>Number of pieces to write.</summary>
    public int Count { get; init; }

    /// <summary>Byte offset of the tensors inside the source region.</summary>
    public long SourceOffset { get; init; }

    /// <summary>Byte offset of the route's staging memory inside the staging region.</summary>
    public long StagingOffset { get; init; }

    /// <summary>Byte offset of the tensors inside the destination region.</summary>
    public long DestinationOffset { get; init; }

    /// <inheritdoc/>
    public static void Validate(in WeightWrites plan, ref PlanValidator validator)
    {
        ReadOnlySpan<WeightPiece> pieces = plan.Route.Validated;
        if (plan.First < 0 || plan.Count < 0 || plan.First > pieces.Length - plan.Count)
            throw new PlanException($"Pieces [{plan.First}, {plan.First} + {plan.Count}) lie outside the route, which has {pieces.Length}; correct First or Count.");
        validator.RequireImmediate(plan.Immediate);
        validator.RequireNotNegative(nameof(SourceOffset), plan.SourceOffset);
        validator.RequireNotNegative(nameof(StagingOffset), plan.StagingOffset);
        validator.RequireNotNegative(nameof(DestinationOffset), plan.DestinationOffset);
        foreach (ref readonly WeightPiece piece in pieces.Slice(plan.First, plan.Count))
        {
            if (piece.Stage == WeightStage.Direct)
                validator.RequireSource(plan.Source, plan.SourceOffset, piece.SourceEnd);
            else
                validator.RequireSource(plan.Staging, plan.StagingOffset, piece.SourceEnd);
            validator.RequireDestination(plan.Destination, plan.DestinationOffset, piece.DestinationEnd);
        }
    }

    /// <inheritdoc/>
    public static long CountUnits(in WeightWrites plan)
    {
        long units = 0;
        foreach (ref readonly WeightPiece piece in plan.Route.Validated.Slice(plan.First, plan.Count))
            units += plan.Immediate.IsNumber ? piece.Runs : piece.Units;
        return units;
    }

    /// <inheritdoc/>
    public static int Expand(in WeightWrites plan, ref PlanCursor cursor, Span<WriteDescriptor> descriptors)
    {
        ReadOnlySpan<WeightPiece> pieces = plan.Route.Items.Slice(plan.First, plan.Count);
        int position = (int)cursor.Position;
        long outer = cursor.Middle, inner = cursor.Inner;
        int written = 0;
        while (position < pieces.Length)
        {
            if (written == descriptors.Length)
                break;
            ref readonly WeightPiece piece = ref pieces[position];
            uint units = plan.Immediate.IsNumber ? 1 : (uint)TransferUnits.OfRun(piece.Length);
            bool direct = piece.Stage == WeightStage.Direct;
            written += piece.Expand(
                descriptors[written..],
                direct ? plan.Source : plan.Staging,
                direct ? plan.SourceOffset : plan.StagingOffset,
                plan.Destination,
                plan.DestinationOffset,
                plan.Immediate,
                units,
                ref outer,
                ref inner);
            if (outer == piece.OuterTurns)
            {
                position++;
                outer = 0;
            }
        }

        (cursor.Position, cursor.Middle, cursor.Inner) = (position, outer, inner);
        cursor.IsCompleted = position == pieces.Length;
        return written;
    }

    /// <inheritdoc/>
    public static void Acquire(in WeightWrites plan) => plan.Route.Retain();

    /// <inheritdoc/>
    public static void Release(in WeightWrites plan) => plan.Route.Release();
}
