namespace Garden.Weights;

/// <summary>A tensor as a header describes it: row-major, little-endian, without gaps.</summary>
/// <param name="Name">Its name.</param>
/// <param name="Element">Its element type.</param>
/// <param name="Shape">Elements along each dimension, outermost first; empty for a scalar.</param>
/// <param name="Offset">Byte offset of its first element, counted from the end of the header.</param>
/// <param name="Length">Its bytes: the product of the shape times the bytes of an element.</param>
public sealed record SafetensorsTensor(string Name, SafetensorsElement Element, IReadOnlyList<long> Shape, long Offset, long Length)
{
    /// <inheritdoc/>
    public override string ToString() => $"{Name}: {SafetensorsElements.NameOf(Element)} [{string.Join(", ", Shape)}]";
}
