using Garden.Experts;
using ILGPU;

namespace Garden.Kernels.Experts;

/// <summary>Activations that have the wire's type already; quantised ones bring their scales.</summary>
/// <typeparam name="TRouting">The routing.</typeparam>
public readonly unsafe struct CopiedRows<TRouting> : IDispatchRows<TRouting>
    where TRouting : unmanaged, IExpertRouting<TRouting>
{
    /// <inheritdoc/>
    public static int InputRowBytes => TRouting.HiddenSize * TRouting.ElementBytes;

    /// <inheritdoc/>
    public static void Write(ExpertKernelArgs arguments, int first, int end)
    {
        int vectors = TRouting.HiddenSize * TRouting.ElementBytes / 16;
        for (int i = Group.IdxX; i < (end - first) * vectors; i += Group.DimX)
        {
            int token = first + (i / vectors), vector = i % vectors;
            Vector16 value = GlobalMemory.Load16(arguments.Input + ((((ulong)token * (ulong)vectors) + (ulong)vector) * 16));
            // Safe: a token has TopK destinations, and rows have HiddenSize elements.
            ulong* destinations = (ulong*)arguments.Destinations + (token * TRouting.TopK);
            for (int k = 0; k < TRouting.TopK; k++)
            {
                if (destinations[k] != 0)
                    GlobalMemory.Store16(destinations[k] + ((ulong)vector * 16), value);
            }
        }

        if (TRouting.ScaleCount == 0)
            return;
        for (int i = Group.IdxX; i < (end - first) * TRouting.ScaleCount; i += Group.DimX)
        {
            int token = first + (i / TRouting.ScaleCount), scale = i % TRouting.ScaleCount;
            uint value = GlobalMemory.Load4(arguments.InputScales + (ulong)(4 * ((token * TRouting.ScaleCount) + scale)));
            ulong* destinations = (ulong*)arguments.Destinations + (token * TRouting.TopK);
            for (int k = 0; k < TRouting.TopK; k++)
            {
                if (destinations[k] != 0)
                    GlobalMemory.Store4(destinations[k] + (ulong)(TRouting.ScalesOffset + (4 * scale)), value);
            }
        }
    }
}
