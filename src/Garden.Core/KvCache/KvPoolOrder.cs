namespace Garden.KvCache;

/// <summary>Which of layer and page is the outer axis of a pool.</summary>
public enum KvPoolOrder : byte
{
    /// <summary>[layer][page]: each layer has its own array of pages.</summary>
    LayerMajor = 0,

    /// <summary>[page][layer]: a page holds all layers of its tokens.</summary>
    PageMajor = 1,
}
