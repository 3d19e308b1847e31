using System.Runtime.InteropServices;

namespace Garden;

/// <summary>
/// Where the expansion of a plan stands. A default cursor is at the beginning. The three positions belong to the plan;
/// the engine only copies the cursor (to rewind after back-pressure) and reads <see cref="IsCompleted"/>.
/// </summary>
[StructLayout(LayoutKind.Sequential, Size = 32)]
public struct PlanCursor
{
    /// <summary>The outermost position, for most plans the index of the next page or target.</summary>
    public long Position;

    /// <summary>A middle position, for layer-wise plans the layer or plane.</summary>
    public long Middle;

    /// <summary>The innermost position, for strided plans the row or head.</summary>
    public long Inner;

    private int _completed;

    /// <summary>True when the expansion has emitted its last descriptor.</summary>
    public bool IsCompleted
    {
        readonly get => _completed != 0;
        set => _completed = value ? 1 : 0;
    }
}
