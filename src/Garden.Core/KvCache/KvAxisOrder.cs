namespace Garden.KvCache;

/// <summary>Order of the axes inside one plane of a page.</summary>
public enum KvAxisOrder : byte
{
    /// <summary>[token][head][element].</summary>
    Nhd = 0,

    /// <summary>[head][token][element].</summary>
    Hnd = 1,
}
