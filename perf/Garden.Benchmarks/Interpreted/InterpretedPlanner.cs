using Garden.Benchmarks.Expansion;

namespace Garden.Benchmarks.Interpreted;

/// <summary>
/// Expands a transfer between two <see cref="StridedLayout"/>s: an odometer over the axes, one interpreted offset a side and run,
/// touching runs joined. Written with care (arrays are made once, nothing is allocated a run), so that it shows what
/// interpretation alone costs.
/// </summary>
public sealed class InterpretedPlanner(
    StridedLayout from, StridedLayout to, RunAxis[] loops, long runBytes, int[] sourcePages, int[] destinationPages, Immediate immediate)
{
    private readonly int[] _coordinate = new int[StridedLayout.AxisNames.Length];
    private readonly uint _units = (uint)TransferUnits.OfRun(runBytes);
    private bool _ended;

    public void Restart()
    {
        Array.Clear(_coordinate);
        _ended = false;
    }

    /// <summary>The next descriptors; 0 at the end.</summary>
    public int Expand(Span<WriteDescriptor> descriptors)
    {
        int written = 0;
        while (!_ended)
        {
            long source = from.Offset(_coordinate, sourcePages);
            long destination = to.Offset(_coordinate, destinationPages);
            if (written > 0 && TryJoin(ref descriptors[written - 1], source, destination))
            {
                Advance();
                continue;
            }

            if (written == descriptors.Length)
                break;
            descriptors[written++] = WriteDescriptor.Create(default, source, default, destination, runBytes, immediate, _units);
            Advance();
        }

        return written;
    }

    private bool TryJoin(ref WriteDescriptor last, long source, long destination)
    {
        if (source != last.SourceOffset + last.Length || destination != last.DestinationOffset + last.Length
            || last.Units + _units > TransferUnits.MaxPerWrite)
        {
            return false;
        }

        last.Length += runBytes;
        last.Units += _units;
        return true;
    }

    private void Advance()
    {
        for (int i = loops.Length - 1; i >= 0; i--)
        {
            RunAxis loop = loops[i];
            if ((_coordinate[loop.Axis] += loop.Step) < loop.End)
                return;
            _coordinate[loop.Axis] = 0;
        }

        _ended = true;
    }

    /// <summary>A whole expansion, batch by batch, as the benchmarks time it.</summary>
    public long ExpandAll(Span<WriteDescriptor> batch)
    {
        Restart();
        int writes = 0;
        long taken = 0;
        while (writes < ExpansionBatch.Runs)
        {
            int written = Expand(batch);
            taken += ExpansionBatch.Take(batch, written);
            writes += written;
        }

        return taken;
    }
}
