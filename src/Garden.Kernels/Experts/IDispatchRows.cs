using Garden.Experts;

namespace Garden.Kernels.Experts;

/// <summary>How payload and scales of dispatched rows are made from the activations.</summary>
/// <typeparam name="TRouting">The routing.</typeparam>
public interface IDispatchRows<TRouting>
    where TRouting : unmanaged, IExpertRouting<TRouting>
{
    /// <summary>Bytes of an input row.</summary>
    static abstract int InputRowBytes { get; }

    /// <summary>Writes tokens [first, end) to their destinations. All threads of a group call it.</summary>
    static abstract void Write(ExpertKernelArgs arguments, int first, int end);
}
